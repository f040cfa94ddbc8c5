"""Feeds for when there are no data: values that the model's nodes imply, in shapes that it runs with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar, overload

import numpy as np
import onnx_ir as ir

from qcompile.calibrate.hypotheses import Hypothesis, OpenShapes
from qcompile.calibrate.implied import Filled, Implied, State, Tokens, implied_values
from qcompile.calibrate.picture_inputs import Picture
from qcompile.calibrate.pictures import picture
from qcompile.calibrate.returned import returned_states
from qcompile.calibrate.sequence import carry
from qcompile.calibrate.sources.spec import InputSpec, fits, shown
from qcompile.calibrate.waveform_inputs import Waveform
from qcompile.calibrate.waveforms import recording
from qcompile.errors import CalibrationError, ModelError
from qcompile.pipeline import Feed
from qcompile.runtime import ONE_THREAD, Runtime, Session

_Feeds = TypeVar("_Feeds", bound=Sequence[Feed])

STEPS = 128
"""Samples where states go from one to the next: ranges of states need time to build up."""
_PIECES = 32
"""How many of them one recording is cut into."""


class SyntheticFeeds(Sequence[Feed]):
    """Seeded samples under one hypothesis on open dimensions, made anew each time they are asked for."""

    def __init__(
        self,
        specs: Sequence[InputSpec],
        implied: Mapping[str, Implied],
        shapes: OpenShapes,
        hypothesis: Hypothesis,
        count: int,
        seed: int,
    ) -> None:
        self._specs, self._implied, self._shapes = specs, implied, shapes
        self._hypothesis, self._count, self._seed = hypothesis, count, seed

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Feed: ...
    @overload
    def __getitem__(self, index: slice) -> list[Feed]: ...
    def __getitem__(self, index: int | slice) -> Feed | list[Feed]:
        if isinstance(index, slice):
            return [self[number] for number in range(self._count)[index]]
        number = range(self._count)[index]
        rng = np.random.default_rng([self._seed, number])
        shapes = self._shapes.shapes(self._hypothesis, number)
        return {
            spec.name: self._sound(spec, shapes[spec.name], number)
            if self._implied[spec.name] == Waveform()
            else _values(spec, self._implied[spec.name], shapes[spec.name], rng)
            for spec in self._specs
        }

    def _sound(self, spec: InputSpec, shape: tuple[int, ...], number: int) -> np.ndarray:
        """The next piece of a recording where there are states, else a recording."""
        pieces = _PIECES if State() in self._implied.values() else 1
        which, piece = divmod(number, pieces)
        whole = _recorded(shape[-1] * pieces, which, self._seed)
        return np.broadcast_to(whole[piece * shape[-1] :][: shape[-1]], shape).astype(spec.dtype)

    def of(self, count: int) -> SyntheticFeeds:
        """The first so many samples."""
        return SyntheticFeeds(self._specs, self._implied, self._shapes, self._hypothesis, count, self._seed)


@lru_cache(maxsize=1)
def _recorded(length: int, number: int, seed: int) -> np.ndarray:
    return recording(length, number, np.random.default_rng([seed, number]))


def synthetic_feeds(
    model: ir.Model,
    specs: Sequence[InputSpec],
    count: int,
    seed: int,
    shapes: Mapping[str, Sequence[int]] | None = None,
    runtime: Runtime = ONE_THREAD,
) -> Sequence[Feed]:
    """Seeded samples that the model runs on, each made when it is asked for.

    Values are those that the model's nodes imply (see `implied_values`): token ids below the rows of their table,
    pictures with the spectrum of natural images, sound with the course of speech, ones for masks; other floats come
    from N(0, 1). States start at zero; those that come out again go from each sample to the next, over more samples.
    Sizes of open dimensions are guessed and proven by a run; samples of tokens differ in length where they may.
    `shapes` gives the shapes of inputs by name, and so the sizes of their symbols.

    Raises CalibrationError where a shape does not fit the model, or nothing that was tried runs.
    """
    given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    _check(given, specs)
    other = next((spec.name for spec in specs if not spec.is_tensor), None)
    if other is not None:
        raise CalibrationError(
            f"no synthetic values for input {other!r} (a sequence or an optional); give --calib DATA"
        )
    implied = implied_values(model, specs)
    open_shapes = OpenShapes(specs, implied, given)
    candidates = (
        SyntheticFeeds(specs, implied, open_shapes, hypothesis, count, seed) for hypothesis in open_shapes.hypotheses()
    )
    advice = f"--input-shape {open_shapes.open}=... or data with --calib" if open_shapes.open else "data with --calib"
    session = Session(model, runtime)
    feeds = first_runnable(candidates, session, advice)
    if any(isinstance(meaning, Tokens | Picture) for meaning in implied.values()):
        return feeds  # so many samples would cost much, and caches of attention need no time to build up
    returned = returned_states(model, implied, session, feeds[0])
    if not returned:
        return feeds
    more = _all_runnable(candidates, session) if Waveform() in implied.values() else []
    carried = [carry(one.of(max(count, STEPS)), specs, returned, session) for one in (feeds, *more)]
    loudest = [_loudest_state(one, returned.values()) for one in carried]
    return carried[int(np.argmin(loudest))] if min(loudest) < np.inf else feeds


def _all_runnable(candidates: Iterable[_Feeds], session: Session) -> list[_Feeds]:
    found = []
    with suppress(CalibrationError):
        while True:
            found.append(first_runnable(candidates, session, ""))
    return found


def _loudest_state(feeds: Sequence[Feed], states: Iterable[str]) -> float:
    """How far states have come: they run away where pieces are longer or shorter than a network was trained on."""
    peak = np.max([np.abs(feed[name]).max(initial=0) for feed in feeds for name in states])
    return float(np.nan_to_num(peak, nan=np.inf, posinf=np.inf))


def first_runnable(candidates: Iterable[_Feeds], session: Session, advice: str) -> _Feeds:
    """The first candidate whose first sample runs, and its second where that has other shapes.

    Raises CalibrationError with what was tried last, and why that failed, where none runs; `advice` is what to give.
    """
    tried, why = "nothing", "no candidates"
    for candidate in candidates:
        proof = [candidate[0], *candidate[1:2]]
        if len(proof) == 2 and _shapes(proof[0]) == _shapes(proof[1]):
            del proof[1]
        try:
            for feed in proof:
                session.run(feed)
        except ModelError as error:
            tried, why = ", ".join(f"{name} {shown(shape)}" for name, shape in _shapes(feed).items()), str(error)
        else:
            return candidate
    raise CalibrationError(f"no synthetic sample that the model runs on (tried last {tried}: {why}); give {advice}")


def _shapes(feed: Feed) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in feed.items()}


def _check(given: Mapping[str, tuple[int, ...]], specs: Sequence[InputSpec]) -> None:
    by_name = {spec.name: spec for spec in specs}
    for name, shape in given.items():
        if name not in by_name:
            raise CalibrationError(f"no input {name!r} in the model (it has {', '.join(map(repr, by_name))})")
        wanted = by_name[name].shape
        if not fits(wanted, shape):
            raise CalibrationError(f"wrong shape for input {name!r} ({shown(shape)}, it is {shown(wanted or ())})")


def _values(spec: InputSpec, implied: Implied, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    match implied:
        case Tokens(rows):
            return rng.integers(0, rows, shape).astype(spec.dtype)
        case Filled(number):
            return np.full(shape, number, spec.dtype)
        case Picture(_, axis, span):
            return picture(shape, axis, span, rng).astype(spec.dtype)
        case State():
            return np.zeros(shape, spec.dtype)
    match spec.dtype.kind:
        case "f":
            return rng.standard_normal(shape).astype(spec.dtype)
        case "i" | "u":
            return rng.integers(0, 2, shape).astype(spec.dtype)
        case _:
            raise CalibrationError(f"no synthetic values for input {spec.name!r} ({spec.dtype}); give data")
