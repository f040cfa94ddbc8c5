"""One set of observations, several plans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, candidate_plans, choose, known_ranges, place
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


def candidates(built: ir.Model, observer: type[Observer]) -> list[Plan]:
    """Plans from long-tailed values: every observer that clips gives another range than min-max."""
    placement = place(built, CPU)
    known = known_ranges(built, placement)
    seen = observer().observe(np.random.default_rng(0).standard_t(2, 100_000).astype(np.float32))
    names = [name for name in placement.observed if name not in known]
    return list(
        candidate_plans(built, placement, known, Observations(dict.fromkeys(names, seen), {}), CPU, "qoperator")
    )


def readings(plans: list[Plan]) -> list[str]:
    return list(dict.fromkeys(plan.notes["observer"] for plan in plans))


def test_where_the_observer_is_ours_to_choose_the_simplest_reading_comes_first(model: Model) -> None:
    plans = candidates(model(TEXT), AUTOMATIC)
    assert readings(plans) == ["min-max", "mse"]
    assert float(plans[-1].values["x"].scale) < float(plans[0].values["x"].scale)
    assert plans[0].values["b"].scale == plans[-1].values["b"].scale == np.float32(1 / 255)


@pytest.mark.parametrize("observer", [MinMaxObserver, PercentileObserver])
def test_an_observer_that_was_asked_for_is_the_only_one(observer: type[Observer], model: Model) -> None:
    assert readings(candidates(model(TEXT), observer)) == [observer.name]


def test_minimum_and_maximum_are_read_from_the_histogram_as_they_are(model: Model) -> None:
    built = model(TEXT)
    assert candidates(built, AUTOMATIC)[0].values == candidates(built, MinMaxObserver)[0].values


def test_an_observer_that_gives_no_range_is_said(model: Model) -> None:
    class Backwards(MinMaxObserver):
        """Gives its range from high to low."""

        name = "backwards"

        def range(self, scheme: object) -> tuple[float, float]:
            return self.high, self.low

    with pytest.raises(CalibrationError, match=r"^observer 'backwards' gives no range for tensor 'x'; use another"):
        candidates(model(TEXT), Backwards)


def test_the_best_is_chosen_and_within_noise_the_first() -> None:
    plans = [Plan(target=name) for name in ("simple", "noise", "better", "worse")]
    quality = {"simple": 20.0, "noise": 20.1, "better": 22.0, "worse": 5.0}
    assert choose(plans, lambda plan: quality[plan.target]) == (plans[2], 22.0)
    assert choose(plans[:2], lambda plan: quality[plan.target])[0].target == "simple"
    assert choose(plans[3:], lambda plan: float("nan"))[0].target == "worse"


@pytest.mark.parametrize(("gain_db", "best"), [(0.1, "c"), (1.5, "c"), (2.5, "a")])
def test_what_a_candidate_must_gain(gain_db: float, best: str) -> None:
    """Over the best so far: many small steps that each are noise do not add up to a choice."""
    quality = {"a": 20.0, "b": 21.0, "c": 22.0}
    plans = [Plan(target=name) for name in quality]
    assert choose(plans, lambda plan: quality[plan.target], gain_db)[0].target == best


def test_each_candidate_is_tried_once() -> None:
    tried: list[str] = []
    plans = [Plan(target=name) for name in "abc"]
    choose(iter(plans), lambda plan: tried.append(plan.target) or 20.0)  # type: ignore[func-returns-value]
    assert tried == ["a", "b", "c"]
