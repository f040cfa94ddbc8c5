"""Sizes of the dimensions that a model leaves open: what is tried, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from qcompile.calibrate.implied import Free, Implied, State, Tokens
from qcompile.calibrate.picture_inputs import Picture
from qcompile.calibrate.sources.spec import InputSpec
from qcompile.calibrate.waveform_inputs import Waveform
from qcompile.errors import CalibrationError

SIDES = ((224, 224), (160, 160), (320, 320), (128, 128), (64, 64), (32, 320), (48, 320), (32, 32))
"""Height and width of pictures; the oblong ones are lines of text."""
LENGTHS = (16, 64, 128, 512, 576, 1024, 77, 256, 4096, 16000)
SOUND_LENGTHS = (16000, 8000, 32000, 48000, 80000, 1024, 512)
"""Samples of sound, a second of it first."""
PIECE_LENGTHS = (512, 576, 640, 1536, 1024, 1280, 480, 400, 320, 256, 160)
"""Samples of the pieces of sound that streaming networks take."""
TEXT_LENGTHS = (128, 8, 64, 32, 96, 16, 48, 24)
"""Lengths of samples of tokens in turn; the first two are the longest and the shortest, so they prove the others."""
TRIALS = 24
"""Most hypotheses that are tried; each costs a run or two."""


@dataclass(frozen=True)
class Hypothesis:
    """Sizes of open dimensions; lengths go round from sample to sample."""

    height: int
    width: int
    lengths: tuple[int, ...]


class Role(Enum):
    """What an open dimension stands for."""

    ONE = auto()
    """A batch, or part of a state."""
    HEIGHT = auto()
    WIDTH = auto()
    LENGTH = auto()

    def size(self, hypothesis: Hypothesis, number: int) -> int:
        """The size in one sample."""
        match self:
            case Role.ONE:
                return 1
            case Role.HEIGHT:
                return hypothesis.height
            case Role.WIDTH:
                return hypothesis.width
            case Role.LENGTH:
                return hypothesis.lengths[number % len(hypothesis.lengths)]


class OpenShapes:
    """The shapes of all inputs under a hypothesis; one symbol has one size in all of them."""

    def __init__(
        self, specs: Sequence[InputSpec], implied: Mapping[str, Implied], given: Mapping[str, tuple[int, ...]]
    ) -> None:
        self._specs, self._given = specs, given
        self._roles: dict[str, Role | int] = {}
        # What a state shares with data (its batch) is 1 there too; so is a batch that is the only axis of some input.
        for spec in sorted(specs, key=lambda spec: (implied[spec.name] != State(), len(spec.shape or ()) == 1)):
            if spec.shape is None and spec.name not in given:
                raise CalibrationError(
                    f"no shape of input {spec.name!r} in the model; give --input-shape {spec.name}=1,3,224,224"
                )
            self._collect(spec, implied[spec.name])
        self._tokens = any(isinstance(meaning, Tokens) for meaning in implied.values())
        self._lengths = _lengths(implied)

    def _collect(self, spec: InputSpec, implied: Implied) -> None:
        given = self._given.get(spec.name)
        for axis, dim in enumerate(spec.shape or ()):
            if isinstance(dim, str) and given is not None:
                self._roles[dim] = given[axis]
            elif not isinstance(dim, int) and given is None:
                self._roles.setdefault(_key(spec, axis), _role(axis, len(spec.shape or ()), implied))

    @property
    def open(self) -> str | None:
        """The first input with a dimension that had to be guessed."""
        guessed = (spec.name for spec in self._specs if spec.name not in self._given and _is_open(spec))
        return next(guessed, None)

    def hypotheses(self) -> Iterator[Hypothesis]:
        """What is worth trying, in a fixed order; one only where nothing is open."""
        roles = set(self._roles.values())
        sides = SIDES if roles & {Role.HEIGHT, Role.WIDTH} else SIDES[:1]
        lengths: list[tuple[int, ...]] = [TEXT_LENGTHS] if self._tokens else []
        lengths += [(length,) for length in self._lengths]
        if Role.LENGTH not in roles:
            lengths = lengths[:1]
        return islice((Hypothesis(*side, length) for side in sides for length in lengths), TRIALS)

    def shapes(self, hypothesis: Hypothesis, number: int) -> dict[str, tuple[int, ...]]:
        """The shape of every input in one sample."""
        return {
            spec.name: self._given.get(spec.name)
            or tuple(
                dim if isinstance(dim, int) else self._size(_key(spec, axis), hypothesis, number)
                for axis, dim in enumerate(spec.shape or ())
            )
            for spec in self._specs
        }

    def _size(self, key: str, hypothesis: Hypothesis, number: int) -> int:
        parts = key.split(" + ")  # exporters name the length of a cache and its input together "past + new"
        if len(parts) > 1 and all(part in self._roles or part.isdigit() for part in parts):
            return sum(int(part) if part.isdigit() else self._size(part, hypothesis, number) for part in parts)
        role = self._roles[key]
        return role if isinstance(role, int) else role.size(hypothesis, number)


def _lengths(implied: Mapping[str, Implied]) -> tuple[int, ...]:
    """What to try; where sound comes with a state, it comes in pieces."""
    if Waveform() not in implied.values():
        return LENGTHS
    return PIECE_LENGTHS if State() in implied.values() else SOUND_LENGTHS


def _is_open(spec: InputSpec) -> bool:
    return spec.shape is None or not all(isinstance(dim, int) for dim in spec.shape)


def _key(spec: InputSpec, axis: int) -> str:
    dim = (spec.shape or ())[axis]
    return dim if isinstance(dim, str) else f"{spec.name}[{axis}]"


def _role(axis: int, rank: int, implied: Implied) -> Role | int:
    is_data = isinstance(implied, Picture | Free | Tokens)
    if implied == State() or (axis == 0 and not (rank == 1 and is_data)):
        return Role.ONE
    if implied == Waveform():
        return Role.LENGTH if axis == rank - 1 else Role.ONE
    if rank < 4 or not isinstance(implied, Picture | Free):
        return Role.LENGTH
    channels = implied.axis if isinstance(implied, Picture) else 1
    if axis == channels:
        return implied.channels if isinstance(implied, Picture) else 3
    sides = (rank - 2, rank - 1) if channels == 1 else (1, 2)
    return {sides[0]: Role.HEIGHT, sides[1]: Role.WIDTH}.get(axis, Role.LENGTH)
