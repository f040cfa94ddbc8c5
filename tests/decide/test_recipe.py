"""What the rules of a recipe match, and what they change in placements and plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import AUTOMATIC, Placement, activation_scheme, known_ranges, make_plan, place
from qcompile.decide.recipe_matching import matched_nodes
from qcompile.decide.recipe_ranges import observed_ranges
from qcompile.decide.recipe_rules import apply_recipe
from qcompile.decide.storage import stored_weights
from qcompile.errors import RecipeError
from qcompile.plan import Code, Decision, Plan, Reason, parse_recipe
from qcompile.quant import MinMaxObserver, PercentileObserver
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
Decided = Callable[[Placement], dict[str, str]]

CPU = find_target("cpu")
IMAGE = "float[1, 4, 8, 8]"
FORK = f"""g (bool c, {IMAGE} x) => ({IMAGE} y, {IMAGE} z) {{
    [stem] a = Conv(x, kernel)
    [left] b = Relu(a)
    [right] d = Conv(a, kernel)
    [if] e = If (c) <
      then_branch = yes () => ({IMAGE} t) {{ [inner] t = Conv(b, kernel) }},
      else_branch = no () => ({IMAGE} f) {{ [other] f = Relu(d) }}
    >
    [join] y = Conv(e, kernel)
    [side] z = Conv(d, kernel)
}}"""
CHAIN = f"""g ({IMAGE} x) => ({IMAGE} y) {{
    [conv1] a = Conv(x, kernel)
    [relu] b = Relu(a)
    [conv2] c = Conv(b, kernel)
    [pool] d = MaxPool <kernel_shape = [1, 1]> (c)
    [conv3] y = Conv(d, kernel)
}}"""
PRODUCTS = """g (float[1, 4] x) => (float[1, 4] y) {
    [first] a = MatMul(x, matrix)
    [erf] b = Erf(a)
    [second] y = MatMul(b, matrix)
}"""


def matched(rule: str, model: ir.Model) -> list[str | None]:
    (parsed,) = parse_recipe(f"[[rule]]\nskip = true\n{rule}", "r.toml").rules
    return [node.name for node in matched_nodes(parsed, model)]


def placed(recipe: str, model: ir.Model, kept_float: Mapping[str, Reason] | None = None) -> Placement:
    return place(model, CPU, kept_float=kept_float, overrides=apply_recipe(parse_recipe(recipe, "r.toml"), model, CPU))


def planned(recipe: str, model: ir.Model, **ranges: tuple[float, float]) -> Plan:
    placement = placed(recipe, model)
    default = dict.fromkeys(placement.observed, (-1.0, 3.0))
    return make_plan(placement, default | ranges | known_ranges(model, placement), CPU, "qoperator")


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("", ["stem", "left", "right", "if", "join", "side", "inner", "other"]),
        ("name = 'i[dn]'", ["join", "side", "inner"]),
        ("op = 'Relu'", ["left", "other"]),
        ("op = ['Relu', 'If']", ["left", "if", "other"]),
        ("op = 'Conv'\nname = '^s'", ["stem", "side"]),
        ("between = ['a', 'y']", ["left", "right", "if", "join", "inner", "other"]),
        ("between = ['b', 'y']", ["if", "join", "inner"]),
        ("between = ['a', 'd']", ["right"]),
        ("between = ['a', 'f']", ["right", "other"]),
        ("between = ['x', 'z']\nop = 'Conv'", ["stem", "right", "side"]),
    ],
)
def test_matching(rule: str, names: list[str], model: Model) -> None:
    assert matched(rule, model(FORK)) == names


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("name = 'conv9'", r"^no compute node matches the rule in r\.toml:1 \(name conv9\); see the names with --save"),
        ("op = 'conv'", r"^no compute node matches the rule in r\.toml:1 \(op conv\); "),
        ("between = ['y', 'x']", r"^no compute node matches the rule in r\.toml:1 \(between y, x\); "),
        ("between = ['b', 'd']", r"^no compute node matches the rule in r\.toml:1 \("),
        ("between = ['a', 'q']", r"^no value 'q' for r\.toml:3; see"),
    ],
)
def test_a_rule_that_matches_nothing_is_an_error(rule: str, line: str, model: Model) -> None:
    with pytest.raises(RecipeError, match=line):
        matched(rule, model(FORK))


def test_float_and_skip_say_where_they_come_from(model: Model) -> None:
    recipe = "[[rule]]\nname = 'conv1'\nprecision = 'float'\n\n[[rule]]\nname = 'conv3'\nskip = true"
    nodes = placed(recipe, model(CHAIN)).nodes
    assert nodes["conv1"].reason == Reason(Code.RECIPE, "r.toml:3")
    assert nodes["conv3"].reason == Reason(Code.EXCLUDED, "r.toml:7")
    assert nodes["conv2"].is_integer


def test_weights_of_a_skipped_node_stay_as_they_are(model: Model) -> None:
    built = model(CHAIN.replace("kernel", "large"), large=np.ones((4, 4, 64, 64), np.float32))
    recipe = "[[rule]]\nname = 'conv1'\nprecision = 'float'\n[[rule]]\nname = 'conv3'\nskip = true"
    plan = Plan("cpu", nodes=dict(placed(recipe, built).nodes))
    assert {name for name, _ in stored_weights(built, plan)} == {"conv1"}


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ("precision = 'float'", "recipe"),
        ("precision = 'int8'", "integer"),
        ("skip = true", "excluded"),
        ("skip = false", "integer"),
        ("symmetric = false", "recipe"),
        ("op = 'Relu'\nskip = true", "recipe"),
    ],
)
def test_the_later_rule_wins(later: str, expected: str, model: Model, decided: Decided) -> None:
    recipe = f"[[rule]]\nprecision = 'float'\nop = 'Conv'\n[[rule]]\n{later}"
    assert decided(placed(recipe, model(CHAIN)))["conv2"] == expected


def test_int8_is_not_given_back_by_a_search_but_where_nothing_was_seen(model: Model) -> None:
    kept = {
        "conv1": Reason(Code.KEPT_FOR_ACCURACY),
        "conv2": Reason(Code.KEPT_FOR_SPEED),
        "conv3": Reason(Code.NO_RANGE, "d"),
    }
    nodes = placed("[[rule]]\nop = 'Conv'\nprecision = 'int8'", model(CHAIN), kept).nodes
    assert (nodes["conv1"].is_integer, nodes["conv2"].is_integer, nodes["conv3"].is_integer) == (True, True, False)


def test_exclude_on_the_command_line_wins_over_a_recipe(model: Model, decided: Decided) -> None:
    built = model(CHAIN)
    overrides = apply_recipe(parse_recipe("[[rule]]\nprecision = 'int8'"), built, CPU)
    assert decided(place(built, CPU, ["conv1"], overrides=overrides))["conv1"] == "excluded"


def test_a_pasted_plan_gives_the_forms_of_that_plan(model: Model, decided: Decided) -> None:
    built = model(PRODUCTS)
    recipe = """[[rule]]\nplan = '"first": {"form": "dynamic"}, "second": {"form": "integer-to-float"}'"""
    assert decided(placed(recipe, built)) == {
        "first": "dynamic",
        "erf": "no-integer-kernel",
        "second": "integer-to-float",
    }
    overrides = apply_recipe(parse_recipe(recipe), built, CPU)
    assert decided(place(built, CPU, overrides=overrides, dynamic=True))["second"] == "integer-to-float"


def test_a_form_that_cannot_be_had_is_said(model: Model) -> None:
    built = model(PRODUCTS)
    overrides = apply_recipe(parse_recipe('[[rule]]\nplan = \'"erf": {"form": "integer"}\'', "r.toml"), built, CPU)
    placement = place(built, CPU, overrides=overrides)
    assert overrides.broken(placement.nodes) == (
        "no integer form of node 'erf' for r.toml:2 (here it is float, "
        "the target has no integer kernel for this operator (Erf)); drop that line"
    )
    had: Mapping[str, Decision] = placed("[[rule]]\nprecision = 'int8'", built).nodes
    assert apply_recipe(parse_recipe("[[rule]]\nprecision = 'int8'"), built, CPU).broken(had) is None


def test_a_node_of_another_plan_is_said(model: Model) -> None:
    with pytest.raises(RecipeError, match=r"^no compute node 'gone' for r\.toml:2; paste from a plan of this model$"):
        placed('[[rule]]\nplan = \'"gone": {"form": "float"}\'', model(CHAIN))


def test_symmetric_codes_have_zero_in_the_middle(model: Model) -> None:
    plan = planned("[[rule]]\nname = 'conv2'\nsymmetric = true", model(CHAIN), c=(-1.0, 3.0))
    assert {name: int(p.zero_point) for name, p in plan.values.items() if name != "b"} == {
        "x": 64,
        "c": 128,
        "d": 128,
        "y": 64,
    }
    assert plan.values["c"].real_range == pytest.approx((-3 * 128 / 127, 3.0))


def test_an_input_belongs_to_its_reader(model: Model) -> None:
    plan = planned("[[rule]]\nname = 'conv1'\nsymmetric = true", model(CHAIN))
    assert int(plan.values["x"].zero_point) == 128


def test_symmetric_codes_do_not_end_at_zero_so_the_relu_is_an_integer_node_of_its_own(model: Model) -> None:
    placement = placed("[[rule]]\nop = 'Conv'\nsymmetric = true", model(CHAIN))
    assert [unit.node.name for unit in placement.units] == ["conv1", "relu", "conv2", "pool", "conv3"]
    assert placement.groups["b"] == "a"


def test_a_kernel_with_codes_of_its_own_is_said(model: Model) -> None:
    text = CHAIN.replace("[relu] b = Relu(a)", "[relu] b = HardSigmoid(a)")
    with pytest.raises(RecipeError, match=r"^no symmetric codes of value 'b' for r\.toml:3 \(a kernel that reads"):
        planned("[[rule]]\nname = 'relu'\nsymmetric = true", model(text))


def test_a_target_with_symmetric_codes_alone(model: Model) -> None:
    recipe = parse_recipe("[[rule]]\nsymmetric = false", "r.toml")
    with pytest.raises(
        RecipeError, match=r"^no symmetric = false in r\.toml:2 \(target cpu has no other codes\); drop"
    ):
        apply_recipe(recipe, model(CHAIN), replace(CPU, activation_dtype="int8", activation_symmetric=True))


def test_granularity_of_weights(model: Model) -> None:
    recipe = "[[rule]]\ngranularity = 'per-tensor'\n[[rule]]\nname = 'conv3'\ngranularity = 'per-channel'"
    plan = planned(recipe, model(CHAIN))
    assert {name: params.scale.shape for (name, _), params in plan.weights.items()} == {
        "conv1": (),
        "conv2": (),
        "conv3": (4,),
    }


def test_granularity_of_stored_weights(model: Model) -> None:
    built = model(CHAIN.replace("kernel", "large"), large=np.ones((4, 4, 64, 64), np.float32))
    plan = Plan("cpu")
    assert {p.axis for p in stored_weights(built, plan, {"conv1", "conv2"}).values()} == {None, 0}


def test_granularity_without_a_weight_is_an_error(model: Model) -> None:
    with pytest.raises(RecipeError, match=r"^nothing to scale per-tensor in r\.toml:3 \(no node that the rule"):
        placed("[[rule]]\nop = 'Relu'\ngranularity = 'per-tensor'", model(CHAIN))


def test_an_observer_of_its_own(model: Model) -> None:
    """Read from the same histogram as the others, so nothing is run again."""
    tail = np.random.default_rng(0).standard_t(2, 100_000).astype(np.float32)
    placement = placed(
        "[[rule]]\nobserver = 'percentile'\n[[rule]]\nname = 'conv2'\nobserver = 'min-max'", model(CHAIN)
    )
    seen = dict.fromkeys(placement.observed, AUTOMATIC().observe(tail))
    scheme = activation_scheme(CPU)
    percentile = PercentileObserver().observe(tail).range(scheme)
    assert observed_ranges(placement, seen, scheme) == dict.fromkeys(["x", "b", "y"], percentile) | {
        "c": MinMaxObserver().observe(tail).range(scheme)  # which the pool shares, of the earlier rule
    }
    asked = dict.fromkeys(placement.observed, MinMaxObserver().observe(tail))
    with pytest.raises(RecipeError, match=r"^no percentile range of value 'x' \(one observer is asked for, min-max\)"):
        observed_ranges(placement, asked, scheme)


def test_the_extremes_are_read_from_a_histogram_too(model: Model) -> None:
    placement = placed("[[rule]]\nobserver = 'min-max'", model(CHAIN))
    seen = dict.fromkeys(placement.observed, AUTOMATIC().observe(np.asarray([-2.0, 0.5, 7.0])))
    assert set(observed_ranges(placement, seen, activation_scheme(CPU)).values()) == {(-2.0, 7.0)}
