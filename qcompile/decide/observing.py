"""From what calibration saw to candidate plans: one set of observations, several ways to read ranges from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import onnx_ir as ir

from qcompile.calibrate import Observations
from qcompile.decide.bias_correction import bias_shifts
from qcompile.decide.parameters import activation_scheme, make_plan
from qcompile.decide.placement import Placement
from qcompile.decide.ranges import known_range
from qcompile.decide.storage import stored_weights
from qcompile.errors import CalibrationError
from qcompile.ir import nodes
from qcompile.plan import Plan
from qcompile.quant import MinMaxObserver, MseObserver, Observer, Scheme
from qcompile.targets import Target

Range = tuple[float, float]


class AutomaticObserver(MseObserver):
    """Observed where no observer is asked for: its histogram also holds the minimum and the maximum."""


AUTOMATIC = AutomaticObserver


def known_ranges(model: ir.Model, placement: Placement) -> dict[str, Range]:
    """Ranges that need no observation, by value name."""
    wanted = set(placement.observed)
    values = (value for node in nodes(model) for value in node.outputs if value.name in wanted)
    found = {value.name or "": known_range(value) for value in values}
    return {name: known for name, known in found.items() if known is not None}


def candidate_plans(
    model: ir.Model,
    placement: Placement,
    known: Mapping[str, Range],
    seen: Observations,
    target: Target,
    format_: str,
    moved: Mapping[str, str] | None = None,
) -> Iterator[Plan]:
    """Plans to choose from, the simplest first: by each reading of the ranges, without and with corrected biases.

    `moved` says of values that were not observed which one holds the same numbers.

    Raises CalibrationError if an observer gives no finite range.
    """
    for reading, ranges in _readings(seen.observers, activation_scheme(target)).items():
        broken = next((v for v, (low, high) in ranges.items() if not low <= high), None)
        if broken is not None:
            raise CalibrationError(f"observer {reading!r} gives no range for tensor {broken!r}; use another observer")
        found = {**ranges, **known}
        same = {value: found[source] for value, source in (moved or {}).items() if source in found}
        plan = make_plan(placement, same | found, target, format_)
        plan.notes |= {"observer": reading}
        plan.weights |= stored_weights(model, plan)
        yield plan
        if shifts := bias_shifts(placement, plan, seen.means):
            yield replace(plan, bias_shifts=shifts, notes={**plan.notes, "bias": "corrected"})


def _readings(observers: Mapping[str, Observer], scheme: Scheme) -> dict[str, dict[str, Range]]:
    """The observers' own ranges; where the observer was chosen for us, by minimum and maximum first."""
    readings: dict[str, dict[str, Range]] = {}
    if all(type(observer) is AUTOMATIC for observer in observers.values()):
        readings[MinMaxObserver.name] = {name: _extremes(observer) for name, observer in observers.items()}
    name = next(iter(observers.values())).name if observers else MinMaxObserver.name
    readings[name] = {value: observer.range(scheme) for value, observer in observers.items()}
    return readings


GAIN_DB = 0.3
"""What a candidate must gain over a simpler one to be taken: below it, held-back samples tell noise."""


def choose(plans: Iterable[Plan], sqnr_db: Callable[[Plan], float], gain_db: float = GAIN_DB) -> tuple[Plan, float]:
    """The plan with the best SQNR and that SQNR; a simpler one where a later one gains less than `gain_db`."""
    best, best_db = None, -math.inf
    for plan in plans:
        found = sqnr_db(plan)
        if best is None or found >= best_db + gain_db:
            best, best_db = plan, found
    assert best is not None
    return best, best_db


def _extremes(observer: Observer) -> Range:
    assert isinstance(observer, AutomaticObserver)
    histogram = observer.histogram
    return (min(histogram.low, 0.0), max(histogram.high, 0.0)) if histogram.total else (0.0, 0.0)
