"""From what calibration saw to candidate plans: one set of observations, several ways to read ranges from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx_ir as ir

from qcompile.decide.parameters import activation_scheme, make_plan
from qcompile.decide.placement import Placement
from qcompile.decide.ranges import known_range
from qcompile.errors import CalibrationError
from qcompile.plan import Plan
from qcompile.quant import MinMaxObserver, MseObserver, Observer
from qcompile.targets import Target

Range = tuple[float, float]

AUTOMATIC = MseObserver
"""Observed where no observer is asked for: its histogram also holds the minimum and the maximum."""


def known_ranges(model: ir.Model, placement: Placement) -> dict[str, Range]:
    """Ranges that need no observation, by value name."""
    wanted = set(placement.observed)
    values = (value for node in model.graph for value in node.outputs if value.name in wanted)
    found = {value.name or "": known_range(value) for value in values}
    return {name: known for name, known in found.items() if known is not None}


def candidate_plans(
    placement: Placement,
    known: Mapping[str, Range],
    observers: Mapping[str, Observer],
    target: Target,
    format_: str,
) -> Iterator[Plan]:
    """Plans by the observers' own ranges; where the observer was chosen for us, by minimum and maximum first.

    Raises CalibrationError if an observer gives no finite range.
    """
    scheme = activation_scheme(target)
    readings: dict[str, dict[str, Range]] = {}
    if all(type(observer) is AUTOMATIC for observer in observers.values()):
        readings[MinMaxObserver.name] = {name: _extremes(observer) for name, observer in observers.items()}
    name = next(iter(observers.values())).name if observers else AUTOMATIC.name
    readings[name] = {value: observer.range(scheme) for value, observer in observers.items()}
    for reading, ranges in readings.items():
        broken = next((v for v, (low, high) in ranges.items() if not low <= high), None)
        if broken is not None:
            raise CalibrationError(f"observer {reading!r} gives no range for tensor {broken!r}; use another observer")
        plan = make_plan(placement, {**ranges, **known}, target, format_)
        plan.notes["observer"] = reading
        yield plan


def _extremes(observer: Observer) -> Range:
    assert isinstance(observer, MseObserver)
    histogram = observer.histogram
    return (min(histogram.low, 0.0), max(histogram.high, 0.0)) if histogram.total else (0.0, 0.0)
