"""Feeds: samples in a fixed order, read again each time they are asked for, one in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, overload

from qcompile.calibrate.sources.spec import Given, InputSpec, fit
from qcompile.pipeline import Feed


class Source(Protocol):
    """One form of data: numbered samples, each cheap to describe and read only when asked for."""

    def __len__(self) -> int: ...

    def where(self, index: int) -> str:
        """The sample's name in messages: its file, or its number."""

    def forms(self, index: int) -> Mapping[str, Given]:
        """Type and shape of the sample's arrays by name."""

    def load(self, index: int) -> Mapping[str, Any]:
        """The sample's arrays by name. Raises CalibrationError where they cannot be read."""


class Feeds(Sequence[Feed]):
    """Checked samples as the model takes them: name -> array of the model's type, in the order of its inputs.

    Nothing is kept: every access reads the sample from its source. A slice is Feeds again.
    """

    def __init__(self, source: Source, specs: Sequence[InputSpec], picked: Sequence[int]) -> None:
        self._source = source
        self._specs = specs
        self._picked = picked

    def __len__(self) -> int:
        return len(self._picked)

    def where(self, index: int) -> str:
        """The sample's name in messages: its file, or its number in the data."""
        return self._source.where(self._picked[index])

    @overload
    def __getitem__(self, index: int) -> Feed: ...
    @overload
    def __getitem__(self, index: slice) -> Feeds: ...
    def __getitem__(self, index: int | slice) -> Feed | Feeds:
        if isinstance(index, slice):
            return Feeds(self._source, self._specs, self._picked[index])
        number = self._picked[index]
        return fit(self._specs, self._source.load(number), self._source.where(number))


def evenly_spaced(total: int, most: int | None) -> range | list[int]:
    """At most so many of the numbers below `total`, at even distances and with the first."""
    if most is None or most >= total:
        return range(total)
    return [i * total // most for i in range(most)]
