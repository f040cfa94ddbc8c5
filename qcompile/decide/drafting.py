"""From what calibration saw to plans: a method says how ranges are read and which repairs follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import onnx_ir as ir

from qcompile.calibrate import Observations
from qcompile.decide.bias_correction import bias_shifts
from qcompile.decide.margins import with_margins
from qcompile.decide.parameters import Migrations, activation_scheme, make_plan
from qcompile.decide.placement import Placement
from qcompile.decide.ranges import known_range
from qcompile.decide.readers import reader_functions
from qcompile.decide.recipe_ranges import observed_ranges
from qcompile.decide.storage import stored_weights
from qcompile.errors import CalibrationError
from qcompile.ir import nodes
from qcompile.plan import Plan
from qcompile.quant import Histogram, MinMaxObserver, MseObserver, Observer, Scheme, mse_range
from qcompile.targets import Target

Range = tuple[float, float]

Step = Callable[[Placement, Plan], Plan | None]
"""A repair: a better plan for the same placement, or None where it has nothing to mend."""


class AutomaticObserver(MseObserver):
    """Observed where no observer is asked for: its histogram also holds the minimum and the maximum."""


AUTOMATIC = AutomaticObserver

BY_READER = "reader-mse"
"""The reading by squared error that counts the errors of activation functions behind the values they alone read."""


@dataclass(frozen=True)
class Method:
    """How a plan is made: the observer that ranges are read by, then repairs in order."""

    reading: str
    steps: tuple[Step, ...] = ()
    narrowed: tuple[tuple[str, float], ...] = ()
    """By what ranges are multiplied once they are read, with the value that has it: the source of a group."""

    def then(self, step: Step) -> Method:
        """The method with one more repair."""
        return replace(self, steps=(*self.steps, step))

    def narrower(self, value: str, factor: float) -> Method:
        """The method with the range of one more value cut off."""
        return replace(self, narrowed=(*self.narrowed, (value, factor)))


@dataclass(frozen=True)
class Drafter:
    """Makes plans from one set of observations: the same method for any choice of what stays float."""

    model: ir.Model
    known: Mapping[str, Range]
    """Ranges that need no observation, by value name."""
    seen: Observations
    moved: Mapping[str, str]
    """Of values that were not observed: which one holds the same numbers."""
    target: Target
    format: str
    notes: Mapping[str, str] = field(default_factory=dict)
    io_type: str = "float"

    @property
    def readings(self) -> list[str]:
        """Names of the observers that ranges can be read by, the simplest first."""
        return list(self._ranges)

    def draft(self, placement: Placement, method: Method) -> Plan:
        """The plan that a method makes for a placement.

        Raises CalibrationError if an observer gives no finite range.
        """
        plan = self.plain(placement, method.reading, narrowed=dict(method.narrowed))
        for step in method.steps:
            plan = step(placement, plan) or plan
        return plan

    def plain(
        self,
        placement: Placement,
        reading: str,
        migrations: Migrations | None = None,
        narrowed: Mapping[str, float] | None = None,
    ) -> Plan:
        """The plan of a placement before any repair, for the model once `migrations` are carried out.

        Values whose channels are scaled take the range of all that was seen, whatever the reading.
        """
        found = {**self._ranges[reading], **self.known}
        cut_off = {name: factor for name, factor in (narrowed or {}).items() if name in found}
        found |= {name: (found[name][0] * factor, found[name][1] * factor) for name, factor in cut_off.items()}
        same = {value: found[source] for value, source in self.moved.items() if source in found}
        ruled = observed_ranges(placement, self.seen.observers, activation_scheme(self.target))
        seen, factors = self.seen.ranges, migrations or {}
        scaled = self._with_room({name: seen[name].divided(factors[name]) for name in factors if name in seen})
        plan = make_plan(placement, same | found | ruled | scaled, self.target, self.format, migrations)
        plan.io_type = self.io_type
        plan.notes |= {**self.notes, "observer": reading} | ({"ranges": "narrowed"} if cut_off else {})
        plan.weights |= stored_weights(self.model, plan, placement.overrides.per_tensor)
        return plan

    def extremes(self, names: Iterable[str]) -> dict[str, Range]:
        """Lowest and highest value of those that were observed so."""
        seen = ((name, self.seen.observers.get(name)) for name in names)
        return {name: _extremes(observer) for name, observer in seen if isinstance(observer, AutomaticObserver)}

    def correct_bias(self, placement: Placement, plan: Plan) -> Plan | None:
        """The repair that makes up for the mean shift of rounded weights."""
        shifts = bias_shifts(placement, plan, self.seen.means)
        return replace(plan, bias_shifts=shifts, notes={**plan.notes, "bias": "corrected"}) if shifts else None

    def without_and_with_bias(self, repair: Step) -> list[Step]:
        """The repair, and the repair with biases corrected for what it leaves."""

        def corrected(placement: Placement, plan: Plan) -> Plan | None:
            better = repair(placement, plan)
            return None if better is None else self.correct_bias(placement, better) or better

        return [repair, corrected]

    @cached_property
    def _ranges(self) -> dict[str, dict[str, Range]]:
        """By reading the range of every observed value; where the observer was chosen for us, by its extremes first."""
        observers, scheme = self.seen.observers, activation_scheme(self.target)
        readings: dict[str, dict[str, Range]] = {}
        if all(type(observer) is AUTOMATIC for observer in observers.values()):
            readings[MinMaxObserver.name] = {name: _extremes(observer) for name, observer in observers.items()}
        name = next(iter(observers.values())).name if observers else MinMaxObserver.name
        readings[name] = {value: _range(observer, value, scheme) for value, observer in observers.items()}
        if self._is_made_up:
            return {reading: self._with_room(ranges) for reading, ranges in readings.items()}
        if len(readings) > 1 and (by_reader := self._ranges_by_reader(scheme)):
            readings[BY_READER] = readings[name] | by_reader
        return readings

    @property
    def _is_made_up(self) -> bool:
        return self.notes.get("calibration") == "synthetic"

    def _with_room(self, ranges: dict[str, Range]) -> dict[str, Range]:
        return with_margins(self.model, ranges) if self._is_made_up else ranges

    def _ranges_by_reader(self, scheme: Scheme) -> dict[str, Range]:
        observers = self.seen.observers
        functions = {value: function for value, function in reader_functions(self.model).items() if value in observers}
        return {value: mse_range(_histogram(observers[value]), scheme, f) for value, f in functions.items()}


def known_ranges(model: ir.Model, placement: Placement) -> dict[str, Range]:
    """Ranges that need no observation, by value name."""
    wanted = set(placement.observed)
    values = (value for node in nodes(model) for value in node.outputs if value.name in wanted)
    found = {value.name or "": known_range(value) for value in values}
    return {name: known for name, known in found.items() if known is not None}


def _range(observer: Observer, value: str, scheme: Scheme) -> Range:
    low, high = observer.range(scheme)
    if not (low <= high and math.isfinite(low) and math.isfinite(high)):
        raise CalibrationError(f"observer {observer.name!r} gives no range for tensor {value!r}; use another observer")
    return low, high


def _extremes(observer: Observer) -> Range:
    histogram = _histogram(observer)
    return (min(histogram.low, 0.0), max(histogram.high, 0.0)) if histogram.total else (0.0, 0.0)


def _histogram(observer: Observer) -> Histogram:
    assert isinstance(observer, AutomaticObserver)
    return observer.histogram
