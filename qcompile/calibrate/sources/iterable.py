"""Feeds from Python: a sequence is read in place, any other iterable is read once into a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qcompile.calibrate.sources.npz import read_arrays, read_forms, write_arrays
from qcompile.calibrate.sources.spec import Form, InputSpec, fit
from qcompile.errors import CalibrationError


class Listed:
    """One feed an item of a sequence that the caller holds."""

    def __init__(self, samples: Sequence[object]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def where(self, index: int) -> str:
        """The item's number."""
        return f"sample {index}"

    def forms(self, index: int) -> Mapping[str, np.ndarray]:
        """The arrays themselves."""
        return self.load(index)

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """The item's values as arrays."""
        return as_arrays(self._samples[index], self.where(index))


class Spool:
    """One feed an item of an iterable, kept in a temporary folder that is removed with this object.

    Also what could be iterated again is kept: a loader that shuffles would otherwise mix held-back and other samples.
    With a limit no more than twice as many samples are on disk at any time: when they are that many, every other one
    goes, and from then on only every second (fourth, ...) comes in.
    """

    def __init__(self, samples: Iterable[object], specs: Sequence[InputSpec], name: str, limit: int | None) -> None:
        self._name = name
        self._folder = Path(tempfile.mkdtemp(prefix="qcompile-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._numbers: list[int] = []
        stride = 1
        for number, sample in enumerate(samples):
            if number % stride:
                continue
            self._keep(number, sample, specs)
            if limit is not None and len(self._numbers) == 2 * limit:
                stride *= 2
                self._drop(self._numbers[1::2])

    def _keep(self, number: int, sample: object, specs: Sequence[InputSpec]) -> None:
        where = _place(self._name, number)
        feed = fit(specs, as_arrays(sample, where), where)
        try:
            write_arrays(self._file(number), feed)
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

    def forms(self, index: int) -> Mapping[str, Form]:
        """What the headers say."""
        return read_forms(self._file(self._numbers[index]))

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """The kept arrays."""
        return read_arrays(self._file(self._numbers[index]))


def _place(name: str, number: int) -> str:
    return f"{name} sample {number}".lstrip()


def as_arrays(sample: object, where: str) -> dict[str, np.ndarray]:
    """A sample given in Python. Raises CalibrationError where it is no mapping of names to arrays."""
    if not isinstance(sample, Mapping):
        raise CalibrationError(f"no feed in {where} ({type(sample).__name__}, not a dict of name to array)")
    return {str(name): _array(value, str(name), where) for name, value in sample.items()}


def _array(value: object, name: str, where: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception as error:  # ragged lists, tensors of a device, ...
        raise CalibrationError(f"no array for {name!r} in {where} ({str(error).partition(chr(10))[0]})") from error
