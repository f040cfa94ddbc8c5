"""What a task loses by quantization: the user's own metric on the float model and on the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsFloat, cast

from qcompile.calibrate import named_function
from qcompile.errors import CalibrationError, QCompileError
from qcompile.runtime import Feed, Runs

MetricFunction = Callable[[Callable[[Feed], list[Any]]], SupportsFloat]
"""Takes `run` (feed -> list of outputs) and returns a number; higher is better."""


@dataclass(frozen=True)
class MetricResult:
    """A metric on both models."""

    name: str
    reference: float
    candidate: float

    @property
    def loss_pct(self) -> float:
        """What is lost of the float model's figure, in percent; negative where the result is better.

        Of a figure of zero nothing or all can be lost: 0 or infinity.
        """
        lost = self.reference - self.candidate
        if self.reference:
            return 100 * lost / abs(self.reference)
        return math.inf if lost > 0 else 0.0


@dataclass(frozen=True)
class Metric:
    """A metric by the name that messages call it."""

    name: str
    function: MetricFunction

    def of(self, model: Runs) -> float:
        """The figure of a model. Raises CalibrationError in one line where there is none that is finite."""
        try:
            value = float(self.function(model.run))
        except QCompileError:
            raise  # the runtime refused a feed, and says so itself
        except (Exception, SystemExit) as error:
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise CalibrationError(f"metric {self.name} failed ({why}); mend it") from error
        if not math.isfinite(value):
            raise CalibrationError(f"metric {self.name} gave {value} (no figure to compare); return a finite number")
        return value

    def compare(self, reference: Runs, candidate: Runs) -> MetricResult:
        """The figures of two models. Raises CalibrationError as `of`."""
        return MetricResult(self.name, self.of(reference), self.of(candidate))


def find_metric(given: MetricFunction | str) -> Metric:
    """The metric that is given as a function, or as `FILE.py:FUNC`: that file is then run, here.

    Raises CalibrationError in one line where there is none.
    """
    if isinstance(given, str):
        function = named_function(given, "metric", "takes `run` and returns a number")
        return Metric(given, cast(MetricFunction, function))
    if not callable(given):
        raise CalibrationError(f"metric is {given!r} (no function); give one that takes `run` and returns a number")
    return Metric(getattr(given, "__name__", type(given).__name__), given)
