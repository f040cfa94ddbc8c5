"""A plan of another model is refused before anything is rewritten."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import check_fits, make_plan, place
from qcompile.errors import PlanError
from qcompile.plan import Decision, Form, Plan
from qcompile.quant import QuantParams
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = "g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) { [conv] y = Conv(x, kernel) }"
PARAMS = QuantParams(np.array(1, np.float32), np.array(0, np.uint8))


@pytest.fixture
def built(model: Model) -> ir.Model:
    return model(TEXT)


@pytest.fixture
def plan(built: ir.Model) -> Plan:
    placement = place(built, CPU)
    return make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, "qoperator")


def test_its_own_plan_fits(built: ir.Model, plan: Plan) -> None:
    check_fits(plan, built, CPU)


@pytest.mark.parametrize(
    ("more", "stranger"),
    [
        (Plan("cpu", nodes={"conv7": Decision(Form.INTEGER)}), "node 'conv7'"),
        (Plan("cpu", values={"t7": PARAMS}), "value 't7'"),
        (Plan("cpu", weights={("conv7", 1): PARAMS}), "node 'conv7'"),
        (Plan("cpu", bias_shifts={"conv7": (0.0,)}), "node 'conv7'"),
        (Plan("cpu", roundings={("conv7", 1): b""}), "node 'conv7'"),
        (Plan("cpu", segments={"conv7": 4}), "node 'conv7'"),
    ],
)
def test_a_stranger_is_named(more: Plan, stranger: str, built: ir.Model) -> None:
    with pytest.raises(PlanError, match=rf"^plan does not fit the model \(it has no {stranger}\); save one from this"):
        check_fits(more, built, CPU)


@pytest.mark.parametrize(
    "params",
    [
        QuantParams(np.ones(3, np.float32), np.zeros(3, np.int8), 0),
        QuantParams(np.ones(4, np.float32), np.zeros(4, np.int8), 7),
    ],
)
def test_scales_for_another_shape(params: QuantParams, built: ir.Model, plan: Plan) -> None:
    other = replace(plan, weights={("conv", 1): params})
    with pytest.raises(PlanError, match=r"^plan does not fit the model \(input 1 of node 'conv' has another shape\)"):
        check_fits(other, built, CPU)


def test_parameters_for_an_input_that_is_no_constant(built: ir.Model, plan: Plan) -> None:
    for index in (0, 5):
        other = replace(plan, weights={("conv", index): PARAMS})
        with pytest.raises(PlanError, match=rf"input {index} of node 'conv' is no constant"):
            check_fits(other, built, CPU)


def test_a_rounding_for_another_weight(built: ir.Model, plan: Plan) -> None:
    check_fits(replace(plan, roundings={("conv", 1): zlib.compress(bytes(16))}), built, CPU)
    cases = [(1, zlib.compress(bytes(15)), "has another size"), (0, b"", "is of no int8 weight")]
    for index, steps, why in [*cases, (1, b"none", "has another size")]:
        other = replace(plan, roundings={("conv", index): steps})
        with pytest.raises(PlanError, match=rf"\(the rounding of input {index} of node 'conv' {why}"):
            check_fits(other, built, CPU)


UNIT = """g (float[1, 4, 8, 8] x) => (float[1, 4] z) {
  [conv] c = Conv(x, kernel) [clamp] r = Relu(c) [half] h = Mul(r, shrink)
  [pool] p = GlobalAveragePool(h) [rows] f = Flatten(p) [product] z = MatMul(f, matrix)
}"""


def planned(built: ir.Model, *, dynamic: bool = False, format_: str = "qoperator", target: str = "cpu") -> Plan:
    placement = place(built, find_target(target), dynamic=dynamic, format_=format_)
    return make_plan(placement, dict.fromkeys(placement.observed, (0.0, 1.0)), find_target(target), format_)


@pytest.fixture
def unit(model: Model) -> ir.Model:
    return model(UNIT, shrink=np.array(0.5, np.float32))


@pytest.mark.parametrize(("target", "format_"), [("cpu", "qoperator"), ("cpu", "qdq"), ("xnnpack", "qdq")])
@pytest.mark.parametrize("dynamic", [False, True])
def test_whatever_is_planned_fits(target: str, format_: str, dynamic: bool, unit: ir.Model) -> None:
    check_fits(planned(unit, dynamic=dynamic, format_=format_, target=target), unit, find_target(target))


def test_any_node_may_become_float(unit: ir.Model) -> None:
    plan = planned(unit)
    for name in ("conv", "half", "pool", "rows", "product"):
        check_fits(replace(plan, nodes=plan.nodes | {name: Decision(Form.FLOAT)}), unit, CPU)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("x", "node 'conv' has no parameters for input 'x'"),
        ("r", "node 'clamp' has no parameters for output 'r'"),
        ("p", "node 'pool' has no parameters for output 'p'"),
        ("f", "node 'rows' has no parameters for output 'f'"),
    ],
)
def test_values_without_parameters(lost: str, said: str, unit: ir.Model) -> None:
    plan = planned(unit)
    del plan.values[lost]
    with pytest.raises(PlanError, match=rf"^plan does not fit the model \({said}\); save one from this model$"):
        check_fits(plan, unit, CPU)


@pytest.mark.parametrize(("node", "index", "value"), [("conv", 1, "kernel"), ("half", 1, "shrink")])
def test_constants_without_parameters(node: str, index: int, value: str, unit: ir.Model) -> None:
    plan = planned(unit)
    del plan.weights[node, index]
    with pytest.raises(PlanError, match=rf"\(node '{node}' has no parameters for input '{value}'\)"):
        check_fits(plan, unit, CPU)


@pytest.mark.parametrize(
    ("node", "form"),
    [("conv", Form.DYNAMIC), ("clamp", Form.INTEGER_TO_FLOAT), ("clamp", Form.DYNAMIC), ("half", Form.DYNAMIC)],
)
def test_forms_that_the_target_lacks(node: str, form: Form, unit: ir.Model) -> None:
    plan = planned(unit)
    plan.nodes[node] = Decision(form)
    with pytest.raises(PlanError, match=rf"\(node '{node}' has no {form} form on target cpu\)"):
        check_fits(plan, unit, CPU)


def test_an_operator_that_the_target_lacks(model: Model) -> None:
    other = model("g (float[1, 4] x) => (float[1, 4] y) { [node] y = Elu(x) }")
    plan = Plan("cpu", nodes={"node": Decision(Form.INTEGER)}, values={"x": PARAMS, "y": PARAMS})
    with pytest.raises(PlanError, match=r"\(node 'node' has no integer form on target cpu\)"):
        check_fits(plan, other, CPU)


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ({"conv": (0.5,) * 3}, "node 'conv' has 3 bias shifts for 4 channels"),
        ({"product": (0.5,) * 4}, "node 'product' has no bias to shift"),
    ],
)
def test_bias_shifts_that_do_not_fit(shifts: dict[str, tuple[float, ...]], said: str, unit: ir.Model) -> None:
    with pytest.raises(PlanError, match=rf"\({said}\)"):
        check_fits(replace(planned(unit), bias_shifts=shifts), unit, CPU)
    check_fits(replace(planned(unit), bias_shifts={"conv": (0.5,) * 4}), unit, CPU)


def test_values_with_scales_by_channel(plan: Plan, built: ir.Model) -> None:
    by_channel = QuantParams(np.ones(4, np.float32), np.zeros(4, np.uint8), 1)
    with pytest.raises(PlanError, match=r"\(value 'x' has scales by channel\)"):
        check_fits(replace(plan, values=plan.values | {"x": by_channel}), built, CPU)


def test_other_bits(plan: Plan, built: ir.Model) -> None:
    with pytest.raises(PlanError, match=r"^plan is for 4 bits, not 8; save another plan$"):
        check_fits(replace(plan, bits=4), built, CPU)


IMAGE = "g (float[1, 4, 8, 8] x) => (float[1, 4, N, M] y) { [conv] y = Conv(x, filter) }"


@pytest.mark.parametrize(("size", "fits"), [(1, True), (3, False)])
def test_only_a_pointwise_convolution_gives_floats(size: int, fits: bool, model: Model) -> None:
    image = model(IMAGE, filter=np.ones((4, 4, size, size), np.float32))
    placement = place(image, CPU)
    plan = make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, "qoperator")
    plan.nodes["conv"] = Decision(Form.INTEGER_TO_FLOAT)
    if fits:
        check_fits(plan, image, CPU)
    else:
        with pytest.raises(PlanError, match="has no integer-to-float form"):
            check_fits(plan, image, CPU)


@pytest.mark.parametrize(("channels", "count"), [(4, 1), (4, 257), (13, 4)])
def test_segments_that_cannot_be(channels: int, count: int, model: Model) -> None:
    image = model(IMAGE.replace("4, N", "N, K"), filter=np.ones((channels, 4, 3, 3), np.float32))
    placement = place(image, CPU)
    plan = make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, "qoperator")
    plan.segments["conv"] = count
    with pytest.raises(PlanError, match=rf"\(the output of node 'conv' cannot be cut into {count} segments\)"):
        check_fits(plan, image, CPU)


def test_a_substitute_that_the_target_lacks_is_named(built: ir.Model, plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"\(target cpu has no substitute 'pad-everything'\)"):
        check_fits(replace(plan, substitutes=("pad-everything",)), built, CPU)


def test_an_unknown_io_type_is_named(built: ir.Model, plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"^plan is for io type 'int4'"):
        check_fits(replace(plan, io_type="int4"), built, CPU)
