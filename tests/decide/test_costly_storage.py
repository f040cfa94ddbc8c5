"""Stored weights go back to float32 where they keep the outputs from their aim, the worst first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import make_plan, place, without_costly_storage
from qcompile.decide.storage import stored_weights
from qcompile.plan import Plan
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 64] x) => (float[1, 64] y) {
    [first] a = MatMul(x, good) [second] b = Tanh(a) [third] y = MatMul(b, bad)
}"""
BAD, GOOD = ("third", 1), ("first", 1)


@pytest.fixture
def built(model: Model) -> ir.Model:
    """`bad` has inputs with weights so small that their codes are zero."""
    rng = np.random.default_rng(0)
    good, bad = (rng.normal(size=(64, 64)).astype(np.float32) for _ in range(2))
    bad[:32] /= 2000
    return model(TEXT, good=good, bad=bad)


@pytest.fixture
def plan(built: ir.Model) -> Plan:
    made = make_plan(place(built, CPU, (), {}), dict.fromkeys(("x", "a", "b", "y"), (-1.0, 1.0)), CPU, "qoperator")
    made.nodes = make_plan(place(built, CPU, [".*"]), {}, CPU, "qoperator").nodes
    floats = Plan("cpu", nodes=made.nodes)
    return replace(floats, weights=stored_weights(built, Plan("cpu")))


@pytest.mark.parametrize(
    ("all_db", "without_bad", "floats", "kept"),
    [
        (30.0, 60.0, 90.0, {GOOD, BAD}),  # the aim is met
        (20.0, 22.0, 22.9, {GOOD, BAD}),  # something else is to blame
        (20.0, 29.0, 90.0, {GOOD}),
        (10.0, 21.5, 22.0, {GOOD}),
        (10.0, 15.0, 22.0, set()),
    ],
)
def test_as_few_as_are_needed(
    built: ir.Model,
    plan: Plan,
    all_db: float,
    without_bad: float,
    floats: float,
    kept: set[tuple[str, int]],
) -> None:
    def quality(candidate: Plan) -> float:
        return {2: all_db, 1: without_bad, 0: floats}[len(candidate.weights)]

    assert set(without_costly_storage(built, plan, quality).weights) == kept


def test_the_node_says_why(built: ir.Model, plan: Plan) -> None:
    found = without_costly_storage(built, plan, lambda p: 90.0 if BAD not in p.weights else 19.6)
    first, third = (found.nodes[name].reason for name in ("first", "third"))
    assert third is not None and first == plan.nodes["first"].reason
    assert third.detail.endswith("its weights stay in float32, since with all in 8 bits the outputs have 20 dB")


def test_nothing_stored_is_not_measured(built: ir.Model) -> None:
    def quality(candidate: Plan) -> float:
        raise AssertionError("measured")

    assert without_costly_storage(built, Plan("cpu"), quality) == Plan("cpu")


@pytest.mark.parametrize(("rounded_db", "is_taken"), [(30.0, True), (20.2, False)])
def test_a_better_rounding_comes_first(built: ir.Model, plan: Plan, rounded_db: float, is_taken: bool) -> None:
    rounded = replace(plan, notes={"rounding": "gptq"})

    def quality(candidate: Plan) -> float:
        return 90.0 if not candidate.weights else rounded_db if candidate.notes else 20.0

    found = without_costly_storage(built, plan, quality, roundings=[lambda _: rounded])
    assert (found == rounded) == is_taken


def test_what_was_measured_to_cost_most_goes_first(built: ir.Model, plan: Plan) -> None:
    quality = {frozenset(): 90.0, frozenset({BAD}): 29.0, frozenset({GOOD}): 21.0, frozenset({BAD, GOOD}): 20.0}
    found = without_costly_storage(
        built, plan, lambda candidate: quality[frozenset(candidate.weights)], worst=lambda _: [GOOD[0]]
    )
    assert set(found.weights) == {BAD}
