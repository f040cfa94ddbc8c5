"""The search keeps what helps, and gives nodes back to float where 8 bits are too few."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, AccuracySearch, Choice, Drafter, Placement, Step, known_ranges, place
from qcompile.plan import Plan, Reason
from qcompile.quant import Observer
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel) [conv2] b = Conv(a, kernel) y = Elu(b)
}"""


def noting(word: str) -> Step:
    """A repair that only says that it was there."""
    return lambda placement, plan: replace(plan, notes={**plan.notes, word: "yes"})


def searched(
    model: Model,
    quality: Callable[[Plan], float],
    *repairs: Step,
    budget_db: float | None = None,
    promise: Callable[[Choice, Set[str]], float] | None = None,
    slowdown: Callable[[Choice, Collection[str]], float] | None = None,
) -> tuple[Choice, list[Plan]]:
    """What the search chooses where plans are worth what `quality` says, and what it measured."""
    built = model(TEXT)
    placement = place(built, CPU)
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    largest = {name: 100 if name == "a" else 3 for name in placement.observed}
    wide: dict[str, Observer] = {n: AUTOMATIC().observe(np.append(values, top)) for n, top in largest.items()}
    drafter = Drafter(built, known_ranges(built, placement), Observations(wide, {}), placement.groups, CPU, "qoperator")
    tried: list[Plan] = []

    def measured(plan: Plan) -> float:
        tried.append(plan)
        return quality(plan)

    def placed(kept: Mapping[str, Reason]) -> Placement:
        return place(built, CPU, (), kept)

    search = AccuracySearch(drafter, placed, measured, repairs, promise=promise, slowdown=slowdown, budget_db=budget_db)
    return search.run({}), tried


def test_of_equals_the_simplest(model: Model) -> None:
    choice, tried = searched(model, lambda plan: 40.0 + 0.2 * (plan.notes["observer"] == "mse"))
    assert choice.plan.notes["observer"] == "min-max"
    assert len(tried) == 3  # the readings: no biases to correct, and nothing to give back


def test_the_better_reading(model: Model) -> None:
    choice, _ = searched(model, lambda plan: 40.0 + (plan.notes["observer"] == "mse"))
    assert (choice.method.reading, choice.sqnr_db) == ("mse", 41.0)


def test_a_repair_is_kept_where_it_helps_on_top_of_those_before(model: Model) -> None:
    def quality(plan: Plan) -> float:
        return 40.0 + ("good" in plan.notes) + ("good" in plan.notes and "late" in plan.notes) - ("bad" in plan.notes)

    choice, _ = searched(model, quality, noting("late"), noting("good"), noting("bad"), noting("late"))
    assert choice.plan.notes == {"observer": "min-max", "good": "yes", "late": "yes"}


def test_below_the_aim_the_node_with_the_worst_input_is_given_back(model: Model) -> None:
    choice, _ = searched(model, lambda plan: 20.0 + 5 * (not plan.is_integer("conv2")))
    assert [name for name, _ in choice.plan.stayed_float()][:1] == ["conv2"]
    assert list(choice.kept_float) == ["conv2"]


@pytest.mark.parametrize(
    ("gain_db", "slower", "kept"),
    [
        (1.9, 0.0, set()),
        (2.1, 0.0, {"conv2"}),
        (2.1, 0.2, {"conv2"}),
        (2.1, 0.3, set()),
        (2.9, None, set()),
        (3.0, None, {"conv2"}),
    ],
)
def test_what_is_given_back_must_be_worth_it(
    gain_db: float, slower: float | None, kept: set[str], model: Model
) -> None:
    """Where nobody knows the price, it must gain more."""
    choice, _ = searched(
        model,
        lambda plan: 20.0 + gain_db * (not plan.is_integer("conv2")),
        slowdown=None if slower is None else lambda choice, names: slower,
    )
    assert choice.kept_float.keys() == kept


@pytest.mark.parametrize(("share", "kept_float"), [(0.6, ["conv2"]), (0.2, [])])
def test_what_holds_too_little_of_the_error_is_not_tried(share: float, kept_float: list[str], model: Model) -> None:
    def quality(plan: Plan) -> float:
        return 20.0 + 5 * (not plan.is_integer("conv2"))

    choice, tried = searched(model, quality, promise=lambda choice, names: share * ("conv2" in names))
    assert list(choice.kept_float) == kept_float
    assert all(plan.is_integer("conv2") for plan in tried) == (not kept_float)


def test_above_the_aim_nothing_is_given_back(model: Model) -> None:
    choice, tried = searched(model, lambda plan: 30.0 + 5 * (not plan.is_integer("conv2")))
    assert not choice.kept_float
    assert all(plan.is_integer("conv2") for plan in tried)


@pytest.mark.parametrize(("budget_db", "on_integers"), [(30.0, ["conv1"]), (32.5, []), (45.0, [])])
def test_a_budget_is_met_with_as_little_float_as_it_lets(
    budget_db: float, on_integers: list[str], model: Model
) -> None:
    def quality(plan: Plan) -> float:
        return 22.0 + 2 * (not plan.is_integer("conv1")) + 9 * (not plan.is_integer("conv2"))

    choice, _ = searched(model, quality, budget_db=budget_db)
    assert [name for name in ("conv1", "conv2") if choice.plan.is_integer(name)] == on_integers
