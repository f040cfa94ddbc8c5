"""Feeds for when there are no data: plausible in type and shape, not in what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qcompile.calibrate.sources.spec import InputSpec, fits, shown
from qcompile.errors import CalibrationError
from qcompile.pipeline import Feed

_BATCH, _CHANNELS, _SIDE, _LENGTH = 1, 3, 224, 16
_MOST_CHANNELS = 4
"""A last dimension of a picture up to this is its channels."""


def synthetic_feeds(
    specs: Sequence[InputSpec], count: int, seed: int, shapes: Mapping[str, Sequence[int]] | None = None
) -> list[Feed]:
    """Seeded samples: floats from N(0, 1), whole numbers 0 or 1, booleans true.

    Unknown dimensions: 1 in front, 224 for the sides of a picture (rank 4) and 3 for its channels, 16 elsewhere; one
    symbol has one size in all inputs. `shapes` gives the shapes of inputs by name, and so the sizes of their symbols.
    Raises CalibrationError where a shape does not fit the model, or cannot be guessed.
    """
    given = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    sizes = _given_sizes(specs, given)
    full = {spec.name: given.get(spec.name) or _shape(spec, sizes) for spec in specs}
    return [_feed(specs, full, np.random.default_rng([seed, number])) for number in range(count)]


def _given_sizes(specs: Sequence[InputSpec], given: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    by_name = {spec.name: spec for spec in specs}
    sizes: dict[str, int] = {}
    for name, shape in given.items():
        if name not in by_name:
            raise CalibrationError(f"no input {name!r} in the model (it has {', '.join(map(repr, by_name))})")
        wanted = by_name[name].shape
        if not fits(wanted, shape):
            raise CalibrationError(f"wrong shape for input {name!r} ({shown(shape)}, it is {shown(wanted or ())})")
        sizes |= {dim: size for dim, size in zip(wanted or (), shape, strict=False) if isinstance(dim, str)}
    return sizes


def _shape(spec: InputSpec, sizes: dict[str, int]) -> tuple[int, ...]:
    if spec.shape is None:
        raise CalibrationError(
            f"no shape of input {spec.name!r} in the model; give --input-shape {spec.name}=1,3,224,224"
        )
    shape = []
    for axis, dim in enumerate(spec.shape):
        guess = dim if isinstance(dim, int) else _guess(axis, spec.shape)
        shape.append(sizes.setdefault(dim, guess) if isinstance(dim, str) else guess)
    return tuple(shape)


def _guess(axis: int, shape: tuple[int | str | None, ...]) -> int:
    if axis == 0:
        return _BATCH
    if len(shape) != 4:
        return _LENGTH
    last = shape[3]
    channels = 3 if isinstance(last, int) and last <= _MOST_CHANNELS else 1
    return _CHANNELS if axis == channels else _SIDE


def _feed(specs: Sequence[InputSpec], shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> Feed:
    return {spec.name: _values(spec, shapes[spec.name], rng) for spec in specs}


def _values(spec: InputSpec, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    match spec.dtype.kind:
        case "f":
            return rng.standard_normal(shape).astype(spec.dtype)
        case "i" | "u":
            return rng.integers(0, 2, shape).astype(spec.dtype)
        case "b":
            return np.ones(shape, np.bool_)
        case _:
            raise CalibrationError(f"no synthetic values for input {spec.name!r} ({spec.dtype}); give data")
