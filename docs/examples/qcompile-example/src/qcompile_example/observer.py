"""A percentile that clips more than the built-in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qcompile.quant import PercentileObserver


@dataclass(frozen=True)
class Percentile999Observer(PercentileObserver):
    """The range that holds 99.9 percent of the values."""

    name: ClassVar[str] = "percentile-99.9"
    percentile: float = 99.9
