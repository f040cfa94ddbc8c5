"""Ranges are narrowed where the outputs gain by it, and only of values that matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, AccuracySearch, Choice, Drafter, known_ranges, place
from qcompile.decide.narrowing import HALF, MOST_OF_IT, QUARTER, worth_narrowing
from qcompile.plan import Plan
from qcompile.quant import Observer
from qcompile.targets import find_target
from qcompile.verify import Gate, Sensitivity, Share

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel) [pool] b = MaxPool <kernel_shape = [1, 1]> (a) [conv2] c = Conv(b, kernel) y = Elu(c)
}"""


def search(built: ir.Model, quality: Callable[[Plan], float]) -> AccuracySearch:
    """A search among plans that are worth what `quality` says, for which the range of `a` matters."""
    placement = place(built, CPU)
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    seen: dict[str, Observer] = dict.fromkeys(placement.observed, AUTOMATIC().observe(values))
    drafter = Drafter(built, known_ranges(built, placement), Observations(seen, {}), placement.groups, CPU, "qoperator")
    return AccuracySearch(
        drafter, lambda kept: place(built, CPU, (), kept), quality, narrowable=lambda choice: ["a"] if choice else []
    )


def gaining(decibels: Mapping[float, float], whole: float) -> Callable[[Plan], float]:
    """30 dB, and more with certain shares of the range."""

    def quality(plan: Plan) -> float:
        share = float(plan.values["a"].scale) / whole
        return 30.0 + next((gain for factor, gain in decibels.items() if np.isclose(share, factor)), 0.0)

    return quality


@pytest.fixture
def plain(model: Model) -> Choice:
    """What is chosen where nothing gains."""
    return search(model(TEXT), lambda plan: 30.0).run({})


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ({0.5: 2.0}, 0.5),
        ({0.84: 1.5, 0.5: 4.0, 0.25: 4.5}, 0.5),
        ({0.84: -3.0, 0.5: 2.0, 0.25: 4.5}, 0.25),
        ({0.84: 1.5, 0.5: -9.0, 0.25: -20.0}, 0.84),
        ({0.84: 0.9}, 1.0),
        (dict.fromkeys((HALF, QUARTER, MOST_OF_IT), -3.0), 1.0),
    ],
    ids=["helps", "the best that is worth it", "a quarter", "most of it", "hardly helps", "harms"],
)
def test_the_range_that_serves_best(gains: Mapping[float, float], share: float, plain: Choice, model: Model) -> None:
    whole = float(plain.plan.values["a"].scale)
    plan = search(model(TEXT), gaining(gains, whole)).run({}).plan
    assert float(plan.values["a"].scale) == pytest.approx(share * whole)
    assert plan.values["a"] == plan.values["b"]  # moved only
    assert plan.values["x"] == plain.plan.values["x"]
    assert plan.notes.get("ranges") == (None if share == 1.0 else "narrowed")


def test_a_value_that_is_no_longer_quantized_has_no_range_to_narrow(plain: Choice, model: Model) -> None:
    found = search(model(TEXT), lambda plan: 30.0)
    method = plain.method.narrower("gone", 0.5)
    assert found.drafter.draft(plain.placement, method) == plain.plan


def test_worst_first_one_of_each_group_and_no_small_shares(plain: Choice) -> None:
    shares: dict[Any, float] = {
        Gate("x", ""): 0.6,
        Gate("kernel", "conv1", of_weights=True): 0.5,
        Gate("b", "pool"): 0.4,
        Gate("a", "conv1"): 0.3,
        Gate("c", "conv2"): 0.1,
    }
    found = Sensitivity("y", 20.0, tuple(Share(gate, share) for gate, share in shares.items()), 0, 0.0)
    assert worth_narrowing(plain.placement, found) == ["x", "a"]
