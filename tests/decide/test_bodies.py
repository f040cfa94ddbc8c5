"""Where integers go in the bodies of control flow, and what becomes of branches that calibration never took."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from qcompile.decide import Placement, check_fits, place, unseen
from qcompile.plan import Code, Form, Plan
from qcompile.quant import Scheme, params_from_range
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
Decided = Callable[[Placement], dict[str, str]]

CPU = find_target("cpu")
IMAGE = "float[1, 4, 8, 8]"

BRANCHES = f"""g (bool c, {IMAGE} x) => ({IMAGE} y) {{
    [conv] a = Conv(x, kernel)
    [if] y = If (c) <
      then_branch = yes () => ({IMAGE} t) {{
        [relu] t1 = Relu(a) [conv1] t2 = Conv(t1, kernel) [conv2] t = Conv(t2, kernel)
      }},
      else_branch = no () => ({IMAGE} e) {{ [conv3] e1 = Conv(a, kernel) [elu] e = Elu(e1) }}
    >
}}"""
LOOP = """g (float[2, 4] x, int64 n) => (float[2, 4] y) <bool yes = {1}> {
    [loop] y = Loop (n, yes, x) <body = b (int64 i, bool go, float[2, 4] h) => (bool more, float[2, 4] next) {
      [same] more = Identity(go) [matmul] m = MatMul(h, matrix) [tanh] next = Tanh(m)
    }>
}"""


def test_units_in_both_branches_read_the_captured_codes(model: Model, decided: Decided) -> None:
    placement = place(model(BRANCHES), CPU)
    assert decided(placement) == {
        "conv": "integer",
        "if": "no-integer-kernel",
        "relu": "integer",
        "conv1": "integer",
        "conv2": "integer",
        "conv3": "integer",
        "elu": "no-integer-kernel",
    }
    assert placement.observed == ["x", "a", "t2", "t", "e1"]
    assert placement.groups["t1"] == "a"


def test_a_clamp_in_a_body_is_not_absorbed_outside_of_it(model: Model) -> None:
    text = BRANCHES.replace("[conv3] e1 = Conv(a, kernel)", "[conv3] e1 = Conv(x, kernel)")
    by_name = {unit.node.name: unit for unit in place(model(text), CPU).units}
    assert by_name["conv"].clamps == []
    assert "relu" in by_name


def test_what_enters_an_iteration_gets_a_scale(model: Model, decided: Decided) -> None:
    placement = place(model(LOOP), CPU)
    assert decided(placement)["matmul"] == "integer-to-float"
    assert placement.observed == ["h"]


def test_a_branch_never_taken_stays_float(model: Model, decided: Decided) -> None:
    built = model(BRANCHES)
    missing = unseen(place(built, CPU), {"x", "a", "e1"})
    assert {name: (reason.code, reason.detail) for name, reason in missing.items()} == {
        "conv1": (Code.NO_RANGE, "t2"),
        "conv2": (Code.NO_RANGE, "t2"),
    }
    placement = place(built, CPU, kept_float=missing)
    assert decided(placement) == {
        "conv": "integer",
        "if": "no-integer-kernel",
        "relu": "not-between-integers",
        "conv1": "no-range",
        "conv2": "no-range",
        "conv3": "integer",
        "elu": "no-integer-kernel",
    }
    assert set(placement.observed) == {"x", "a", "e1"}


def test_where_all_was_seen_nothing_is_kept(model: Model) -> None:
    placement = place(model(BRANCHES), CPU)
    assert unseen(placement, set(placement.observed)) == {}


def test_a_plan_may_speak_of_what_enters_an_iteration(model: Model) -> None:
    params = params_from_range(-1.0, 1.0, Scheme("uint8"))
    check_fits(Plan(target="cpu", values={"h": params, "m": params}), model(LOOP), CPU)


# Without data.

PRODUCTS = """g (float[2, 4] x) => (float[2, 4] y, float[2, 4] z) {
    [first] a = MatMul(x, matrix)
    [softmax] b = Softmax(a)
    [second] y = MatMul(b, matrix)
    [third] z = MatMul(b, matrix)
}"""


def test_products_between_floats_are_dynamic(model: Model, decided: Decided) -> None:
    placement = place(model(PRODUCTS), CPU, dynamic=True)
    assert {name: form for name, form in decided(placement).items() if name != "softmax"} == dict.fromkeys(
        ["first", "second", "third"], "dynamic"
    )
    assert placement.observed == []


def test_products_whose_input_comes_as_integers_are_not(model: Model) -> None:
    """Their input has a scale, and would be quantized twice; a Relu between does not change that."""
    for between in ("MaxPool <kernel_shape = [1, 1]> (a)", "Relu(a)"):
        text = f"""g (float[1, 4, 4, 4] x) => (float[1, 4, 4, 4] y) {{
            [conv] a = Conv(x, kernel) [between] b = {between} [matmul] y = MatMul(b, matrix) }}"""
        placement = place(model(text), CPU, dynamic=True)
        assert placement.nodes["matmul"].form is Form.INTEGER_TO_FLOAT
        assert placement.observed == ["x", "b" if "Relu" in between else "a"]


def test_a_product_in_a_body_is_dynamic_too(model: Model) -> None:
    assert place(model(LOOP), CPU, dynamic=True).nodes["matmul"].form is Form.DYNAMIC


def test_a_product_with_a_bias_of_its_own_is_too(model: Model) -> None:
    text = "g (float[2, 4] x) => (float[2, 4] y) { [gemm] y = Gemm(x, matrix) }"
    placement = place(model(text), CPU, dynamic=True)
    assert placement.nodes["gemm"].form is Form.DYNAMIC
    assert placement.observed == []
