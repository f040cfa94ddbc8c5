"""States carried from sample to sample: an output of one feeds an input of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np
import onnx_ir as ir

from qcompile.calibrate.sources.feeds import Feeds
from qcompile.calibrate.sources.opening import open_feeds
from qcompile.calibrate.sources.spec import InputSpec, shown, value_spec
from qcompile.errors import CalibrationError, ModelError
from qcompile.pipeline import Feed
from qcompile.runtime import Session


class CarriedFeeds(Sequence[Feed]):
    """Samples with their states as the float model had them there, in any order, again and again.

    The model runs once through all samples in order; the states wait in a temporary folder, one in memory.
    """

    def __init__(self, feeds: Sequence[Feed], states: Feeds) -> None:
        self._feeds, self._states = feeds, states

    def __len__(self) -> int:
        return len(self._feeds)

    @overload
    def __getitem__(self, index: int) -> Feed: ...
    @overload
    def __getitem__(self, index: slice) -> CarriedFeeds: ...
    def __getitem__(self, index: int | slice) -> Feed | CarriedFeeds:
        if isinstance(index, slice):
            return CarriedFeeds(self._feeds[index], self._states[index])
        return {**self._feeds[index], **self._states[index]}


def stateless_specs(model: ir.Model, specs: Sequence[InputSpec], sequence: Mapping[str, str]) -> list[InputSpec]:
    """The inputs, those that `sequence` (output -> input) feeds not required in the data.

    Raises CalibrationError where a name is not in the model, or the output cannot be that input.
    """
    inputs = {spec.name: spec for spec in specs}
    outputs = {value.name: value for value in model.graph.outputs}
    for output, into in sequence.items():
        for kind, name, known in (("output", output, outputs), ("input", into, inputs)):
            if name not in known:
                raise CalibrationError(f"no {kind} {name!r} in the model (it has {', '.join(map(repr, known))})")
        _check_pair(value_spec(outputs[output]), inputs[into])
    if len(set(sequence.values())) < len(sequence):
        raise CalibrationError("one input fed by two outputs in the sequence; name it once")
    return [spec._replace(required=spec.name not in sequence.values()) for spec in specs]


def _check_pair(output: InputSpec, into: InputSpec) -> None:
    if not (output.is_tensor and into.is_tensor):
        raise CalibrationError(f"output {output.name!r} cannot feed input {into.name!r} (a state is one tensor)")
    if output.dtype != into.dtype:
        raise CalibrationError(
            f"output {output.name!r} cannot feed input {into.name!r} ({output.dtype}, the input is {into.dtype})"
        )
    if output.shape is None or into.shape is None:
        return
    if len(output.shape) != len(into.shape) or any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(output.shape, into.shape, strict=True)
    ):
        shapes = f"{shown(output.shape)}, the input is {shown(into.shape)}"
        raise CalibrationError(f"output {output.name!r} cannot feed input {into.name!r} ({shapes})")


def carry(
    feeds: Sequence[Feed], specs: Sequence[InputSpec], sequence: Mapping[str, str], session: Session
) -> CarriedFeeds:
    """The samples, where each output of the float model that `sequence` names feeds an input of the next sample.

    The first sample has the states of the data, or zeros where the data hold none. Raises CalibrationError where the
    model does not run on a sample, or its output is no state of the shape that the input wants.
    """
    states = [spec for spec in specs if spec.name in sequence.values()]
    return CarriedFeeds(feeds, open_feeds(_trajectory(feeds, states, specs, sequence, session), states))


def _trajectory(
    feeds: Sequence[Feed],
    states: Sequence[InputSpec],
    specs: Sequence[InputSpec],
    sequence: Mapping[str, str],
    session: Session,
) -> Iterator[Feed]:
    """The states of every sample, in order."""
    before: Feed | None = None
    for number, feed in enumerate(feeds):
        if before is None:
            sizes = _symbols(specs, feed)
            current = {spec.name: feed[spec.name] if spec.name in feed else _zeros(spec, sizes) for spec in states}
        else:
            try:
                outputs = dict(zip(session.outputs, session.run(before), strict=True))
            except ModelError as error:
                raise CalibrationError(f"{error} on calibration sample {number - 1} with its states") from error
            current = {into: outputs[output] for output, into in sequence.items()}
        before = {**feed, **current}
        yield current


def _symbols(specs: Sequence[InputSpec], feed: Feed) -> dict[str, int]:
    return {
        dim: size
        for spec in specs
        if spec.name in feed
        for dim, size in zip(spec.shape or (), feed[spec.name].shape, strict=False)
        if isinstance(dim, str)
    }


def _zeros(spec: InputSpec, sizes: Mapping[str, int]) -> np.ndarray:
    """A start of zeros; an open dimension that no other input tells is 1."""
    if spec.shape is None:
        raise CalibrationError(f"no shape of input {spec.name!r} in the model; put its first state into the data")
    return np.zeros([dim if isinstance(dim, int) else sizes.get(dim or "", 1) for dim in spec.shape], spec.dtype)
