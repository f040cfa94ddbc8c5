"""The calibration run: feeds through the model, values into observers, memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from qcompile.calibrate.split import FeedSubset
from qcompile.errors import CalibrationError
from qcompile.pipeline import EXTREMES, OBSERVED, Feed
from qcompile.quant import ChannelMean, ChannelRange, Observer
from qcompile.runtime import ONE_THREAD, Runtime, Session

SAMPLE, FEWEST, TOGETHER = 1 << 15, 1 << 13, 1 << 20
"""Elements of one tensor of one feed that enter a histogram: fewer where there are many feeds, since no more are needed
together, but never very few. A tensor with more is read at even distances. The extremes always enter, so that ranges by
minimum and maximum are exact."""

Progress = Callable[[str, int, int | None], None]
"""Called with the phase, what is done of it, and the total where it is known."""


@dataclass(frozen=True)
class Observations:
    """What a calibration run remembers, by value name."""

    observers: dict[str, Observer]
    means: dict[str, ChannelMean]
    ranges: dict[str, ChannelRange] = field(default_factory=dict)
    """By channel; only of values that had elements."""

    @property
    def seen(self) -> set[str]:
        """Names of the values that had elements in some sample; those in a branch never taken have none."""
        return set(self.observers)


def observe(
    model: ir.Model,
    names: Sequence[str],
    feeds: Collection[Feed],
    observer: type[Observer],
    mean_axes: Mapping[str, int] | None = None,
    range_axes: Mapping[str, int] | None = None,
    *,
    runtime: Runtime = ONE_THREAD,
    progress: Progress | None = None,
) -> Observations:
    """Run every feed through `model` (with its observed values as outputs) and observe the named values.

    `mean_axes` and `range_axes` name the values whose mean or range per channel is wanted, with their channel axis; in
    bodies that iterate there is none.

    Raises CalibrationError naming tensor and sample where a value is NaN or infinite, ModelError where the runtime
    refuses a feed.
    """
    session = Session(model, runtime)
    shown = [value.metadata_props.get(OBSERVED, value.name or "") for value in model.graph.outputs]
    observers: dict[str, Observer] = {name: observer() for name in names}
    means = {name: ChannelMean(axis) for name, axis in (mean_axes or {}).items()}
    ranges = {name: ChannelRange(axis) for name, axis in (range_axes or {}).items()}
    extremes = {
        name for name, value in zip(shown, model.graph.outputs, strict=True) if EXTREMES in value.metadata_props
    }
    met: set[str] = set()
    most = min(SAMPLE, max(FEWEST, TOGETHER // max(1, len(feeds))))
    where = feeds.where if isinstance(feeds, FeedSubset) else "sample {}".format
    for number, feed in enumerate(feeds):
        values = dict(feed) | dict(zip(shown, session.run(feed), strict=True))
        there = {name for name, value in values.items() if isinstance(value, np.ndarray) and value.size}
        met |= there
        for name in (n for n in observers if n in there):  # in order: the first bad one is named
            observers[name] = _observed(observers[name], name, where(number), values, feed, most)
        for name in means.keys() & there - extremes:
            means[name] = means[name].observe(values[name])
        for name in ranges.keys() & there - extremes:
            ranges[name] = ranges[name].observe(values[name])
        if progress is not None:
            progress("calibrate", number + 1, len(feeds))
    known = {name: seen for name, seen in ranges.items() if seen.count}
    return Observations({name: o for name, o in observers.items() if name in met}, means, known)


def _observed(
    observer: Observer,
    name: str,
    where: str,
    values: Mapping[str, np.ndarray],
    feed: Mapping[str, object],
    most: int,
) -> Observer:
    try:
        return observer.observe(thinned(values[name], most))
    except ValueError as error:
        given, what = (name, str(error)) if name in feed else (_input_with_nan(feed), "values are NaN")
        if given is not None:
            raise CalibrationError(f"{what} in input {given!r} of {where}; leave that sample out") from error
        raise CalibrationError(
            f"{error} in tensor {name!r} on {where} (the float model itself makes it); "
            "leave that sample out or mend the model"
        ) from error


def _input_with_nan(feed: Mapping[str, object]) -> str | None:
    """The input that a NaN further on comes from. Infinity may be meant, in a mask."""
    arrays = {name: array for name, array in feed.items() if isinstance(array, np.ndarray)}
    return next((name for name, array in arrays.items() if array.dtype.kind == "f" and np.isnan(array).any()), None)


def thinned(array: np.ndarray, most: int) -> np.ndarray:
    """At most so many elements at even distances, and the extremes of the whole array; float32, one axis."""
    flat = np.asarray(array, np.float32).reshape(-1)
    if flat.size <= most:
        return flat
    step = -(-flat.size // most) | 1  # odd, so that it does not keep hitting the same column of an even width
    return np.concatenate([flat[::step], [flat.min(), flat.max()]])
