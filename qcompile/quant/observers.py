"""Observers: what is remembered of a tensor's values, and the range that is made of it.

An observer is an immutable value. Observing more gives a new one, and `merge` is exact, associative and commutative:
samples may come in any order, in any pieces, from any number of workers, and the ranges are the same bit for bit.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy.typing as npt

from qcompile.quant.entropy import entropy_range
from qcompile.quant.histogram import Histogram, finite_values
from qcompile.quant.mse import mse_range
from qcompile.quant.percentile import percentile_range
from qcompile.quant.scheme import Scheme


class Observer(ABC):
    """What a calibration run remembers of one tensor, in memory that does not grow. A new one has seen nothing."""

    name: ClassVar[str]

    @abstractmethod
    def observe(self, array: npt.ArrayLike) -> Self:
        """This observer after seeing `array` (any shape, taken as float32; may be empty).

        Raises:
            ValueError: a value is NaN or infinite; says how many.
        """

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """The observer that has seen what both have."""

    @abstractmethod
    def range(self, scheme: Scheme) -> tuple[float, float]:
        """The range to quantize, for that grid. Contains zero, is never wider than the values; (0, 0) without any."""


@dataclass(frozen=True)
class MinMaxObserver(Observer):
    """The smallest and the largest value."""

    name: ClassVar[str] = "min-max"
    low: float = math.inf
    high: float = -math.inf

    def observe(self, array: npt.ArrayLike) -> Self:
        _, low, high = finite_values(array)
        return self._widened(low, high)

    def merge(self, other: Self) -> Self:
        return self._widened(other.low, other.high)

    def range(self, scheme: Scheme) -> tuple[float, float]:
        return min(self.low, 0.0), max(self.high, 0.0)

    def _widened(self, low: float, high: float) -> Self:
        return replace(self, low=min(self.low, low), high=max(self.high, high))


@dataclass(frozen=True)
class HistogramObserver(Observer):
    """Base of the observers that search a range in a `Histogram`."""

    histogram: Histogram = field(default_factory=Histogram.empty, kw_only=True)

    def observe(self, array: npt.ArrayLike) -> Self:
        return self._with(Histogram.of(array))

    def merge(self, other: Self) -> Self:
        return self._with(other.histogram)

    def _with(self, more: Histogram) -> Self:
        return replace(self, histogram=self.histogram.merge(more))


@dataclass(frozen=True)
class PercentileObserver(HistogramObserver):
    """The range that holds `percentile` percent of the values."""

    name: ClassVar[str] = "percentile"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile is {self.percentile}; it must be in (0, 100]")

    def range(self, scheme: Scheme) -> tuple[float, float]:
        return percentile_range(self.histogram, self.percentile)


@dataclass(frozen=True)
class MseObserver(HistogramObserver):
    """The range with the least expected squared error."""

    name: ClassVar[str] = "mse"

    def range(self, scheme: Scheme) -> tuple[float, float]:
        return mse_range(self.histogram, scheme)


@dataclass(frozen=True)
class EntropyObserver(HistogramObserver):
    """The range with the least Kullback-Leibler divergence."""

    name: ClassVar[str] = "entropy"

    def range(self, scheme: Scheme) -> tuple[float, float]:
        return entropy_range(self.histogram, scheme)


OBSERVERS: dict[str, type[Observer]] = {
    observer.name: observer for observer in (MinMaxObserver, PercentileObserver, MseObserver, EntropyObserver)
}
"""The built-in observers by name; each is made without arguments."""
