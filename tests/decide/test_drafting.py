"""One set of observations, several plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, Drafter, Method, Placement, known_ranges, place
from qcompile.errors import CalibrationError
from qcompile.plan import Plan
from qcompile.quant import MinMaxObserver, Observer, PercentileObserver
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel)
    [gate] b = Sigmoid(a)
    [conv2] y = Conv(b, kernel)
}"""


def drafter(built: ir.Model, observer: type[Observer]) -> tuple[Drafter, Placement]:
    """A drafter that saw long-tailed values: every observer that clips gives another range than min-max."""
    placement = place(built, CPU)
    known = known_ranges(built, placement)
    seen = observer().observe(np.random.default_rng(0).standard_t(2, 100_000).astype(np.float32))
    names = [name for name in placement.observed if name not in known]
    observations = Observations(dict.fromkeys(names, seen), {})
    return Drafter(built, known, observations, placement.groups, CPU, "qoperator"), placement


def draft(built: ir.Model, observer: type[Observer], reading: int) -> Plan:
    made, placement = drafter(built, observer)
    return made.draft(placement, Method(made.readings[reading]))


def test_where_the_observer_is_ours_to_choose_the_simplest_reading_comes_first(model: Model) -> None:
    built = model(TEXT)
    assert drafter(built, AUTOMATIC)[0].readings == ["min-max", "mse", "reader-mse"]
    first, last = draft(built, AUTOMATIC, 0), draft(built, AUTOMATIC, 1)
    assert float(last.values["x"].scale) < float(first.values["x"].scale)
    assert last.values["b"].scale == first.values["b"].scale == np.float32(1 / 255)


@pytest.mark.parametrize("observer", [MinMaxObserver, PercentileObserver])
def test_an_observer_that_was_asked_for_is_the_only_one(observer: type[Observer], model: Model) -> None:
    assert drafter(model(TEXT), observer)[0].readings == [observer.name]


def test_minimum_and_maximum_are_read_from_the_histogram_as_they_are(model: Model) -> None:
    built = model(TEXT)
    assert draft(built, AUTOMATIC, 0).values == draft(built, MinMaxObserver, 0).values


def test_an_observer_that_gives_no_range_is_said(model: Model) -> None:
    class Backwards(MinMaxObserver):
        """Gives its range from high to low."""

        name = "backwards"

        def range(self, scheme: object) -> tuple[float, float]:
            return self.high, self.low

    with pytest.raises(CalibrationError, match=r"^observer 'backwards' gives no range for tensor 'x'; use another"):
        draft(model(TEXT), Backwards, 0)


def test_repairs_follow_in_order_and_those_that_mend_nothing_leave_the_plan(model: Model) -> None:
    made, placement = drafter(model(TEXT), MinMaxObserver)

    def noted(word: str) -> Callable[[Placement, Plan], Plan]:
        return lambda where, plan: replace(plan, notes={**plan.notes, "repairs": plan.notes.get("repairs", "") + word})

    method = Method("min-max").then(noted("a")).then(lambda where, plan: None).then(noted("b"))
    assert made.draft(placement, method).notes == {"observer": "min-max", "repairs": "ab"}
