"""Feeds from Python: a sequence is read in place, any other iterable is read once into a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from qcompile.calibrate.sources.npz import read_arrays, read_forms, write_arrays
from qcompile.calibrate.sources.spec import Given, InputSpec, fit
from qcompile.errors import CalibrationError

T = TypeVar("T")


class Listed:
    """One feed an item of a sequence that the caller holds."""

    def __init__(self, samples: Sequence[object], specs: Sequence[InputSpec]) -> None:
        self._samples, self._specs = samples, specs

    def __len__(self) -> int:
        return len(self._samples)

    def where(self, index: int) -> str:
        """The item's number."""
        return f"sample {index}"

    def forms(self, index: int) -> Mapping[str, Any]:
        """The arrays themselves."""
        return self.load(index)

    def load(self, index: int) -> Mapping[str, Any]:
        """The item's values as arrays."""
        return as_arrays(self._samples[index], self._specs, self.where(index))


class Spool:
    """One feed an item of an iterable, kept in a temporary folder that is removed with this object.

    Also what could be iterated again is kept: a loader that shuffles would otherwise mix held-back and other samples.
    With a limit no more than twice as many samples are on disk at any time: when they are that many, every other one
    goes, and from then on only every second (fourth, ...) comes in.
    """

    def __init__(self, samples: Iterable[object], specs: Sequence[InputSpec], name: str, limit: int | None) -> None:
        self._name, self._specs = name, specs
        self._folder = Path(tempfile.mkdtemp(prefix="qcompile-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._numbers: list[int] = []
        stride = 1
        for number, sample in enumerate(samples):
            if number % stride:
                continue
            self._keep(number, sample)
            if limit is not None and len(self._numbers) == 2 * limit:
                stride *= 2
                self._drop(self._numbers[1::2])

    def _keep(self, number: int, sample: object) -> None:
        where = _place(self._name, number)
        feed = fit(self._specs, as_arrays(sample, self._specs, where), where)
        try:
            write_arrays(self._file(number), flattened(feed))
        except OSError as error:
            raise CalibrationError(f"no room for {where} in the temporary folder ({error.strerror})") from error
        self._numbers.append(number)

    def _drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._file(number).unlink()
            self._numbers.remove(number)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npz"

    def __len__(self) -> int:
        return len(self._numbers)

    def where(self, index: int) -> str:
        """The item's number in the iterable."""
        return _place(self._name, self._numbers[index])

    def forms(self, index: int) -> Mapping[str, Given]:
        """What the headers say."""
        return gathered(self._specs, read_forms(self._file(self._numbers[index])))

    def load(self, index: int) -> Mapping[str, Any]:
        """The kept arrays."""
        return gathered(self._specs, read_arrays(self._file(self._numbers[index])))


def _place(name: str, number: int) -> str:
    return f"{name} sample {number}".lstrip()


def flattened(feed: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A feed as arrays alone: those of a sequence are numbered, what is absent is left out."""
    arrays: dict[str, np.ndarray] = {}
    for name, value in feed.items():
        if isinstance(value, list):
            arrays |= {f"{number}{_OF}{name}": array for number, array in enumerate([_EMPTY, *value])}
        elif value is not None:
            arrays[name] = value
    return arrays


_OF, _EMPTY = "\n", np.empty(0, np.int8)
"""Between number and name; and the arrays' entry number zero, without which no empty sequence could be told."""


def gathered(specs: Sequence[InputSpec], arrays: Mapping[str, T]) -> dict[str, T | list[T]]:
    """The inverse of `flattened`, but for the absent; also of what headers say."""
    feed: dict[str, T | list[T]] = {}
    for spec in specs:
        if spec.name in arrays:
            feed[spec.name] = arrays[spec.name]
        elif f"0{_OF}{spec.name}" in arrays:
            names = (f"{number}{_OF}{spec.name}" for number in count(1))
            feed[spec.name] = [arrays[name] for name in takewhile(arrays.__contains__, names)]
    return feed


def as_arrays(sample: object, specs: Sequence[InputSpec], where: str) -> dict[str, Any]:
    """A sample given in Python. Raises CalibrationError where it is no mapping of names to arrays."""
    if not isinstance(sample, Mapping):
        raise CalibrationError(f"no feed in {where} ({type(sample).__name__}, not a dict of name to array)")
    sequences = {spec.name for spec in specs if spec.sequence}
    return {str(name): _given(value, str(name), name in sequences, where) for name, value in sample.items()}


def _given(value: object, name: str, is_sequence: bool, where: str) -> Any:
    if value is None:
        return None
    if is_sequence and isinstance(value, Sequence) and not isinstance(value, str):
        return [_array(item, name, where) for item in value]
    return _array(value, name, where)


def _array(value: object, name: str, where: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception as error:  # ragged lists, tensors of a device, ...
        raise CalibrationError(f"no array for {name!r} in {where} ({str(error).partition(chr(10))[0]})") from error
