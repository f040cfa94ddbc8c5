"""Products of two activations beside a Softmax: found, planned, and right as integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import check_fits, place
from qcompile.decide.attention import attention_products, sources, with_integer_products
from qcompile.decide.parameters import make_plan
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Code, Decision, Form, Plan, Reason, dumps, loads
from qcompile.runtime import run_as_written
from qcompile.targets import find_target
from qcompile.verify import check_steps

Model = Callable[..., ir.Model]
CPU = find_target("cpu")
RNG = np.random.default_rng(9)
FEED = {name: RNG.normal(size=(1, 6, 16)).astype(np.float32) for name in "qkv"}
RANGES = {"q": (-4.0, 4.0), "k": (-4.0, 4.0), "v": (-4.0, 4.0), "shares": (0.0, 1.0)}
CONSTANTS = {
    "heads": np.array([1, 6, 2, 8]), "width": np.array([1, 6, 16]), "half": np.float32(0.5),
    "bias": np.zeros((1, 1, 6, 6), np.float32), "w": np.eye(16, dtype=np.float32),
}  # fmt: skip
HEADS = """
    [rq] hq = Reshape(q, heads) [tq] tq = Transpose<perm = [0, 2, 1, 3]>(hq)
    [rk] hk = Reshape(k, heads) [tk] tk = Transpose<perm = [0, 2, 3, 1]>(hk)
    [rv] hv = Reshape(v, heads) [tv] tv = Transpose<perm = [0, 2, 1, 3]>(hv)
    [qk] scores = MatMul(tq, tk)"""
SOFTMAX = """
    [scale] scaled = Mul(scores, half) [mask] masked = Add(scaled, bias) [softmax] shares = Softmax(masked)
    [pv] mixed = MatMul(shares, tv)"""
JOINED = """
    [t] t = Transpose<perm = [0, 2, 1, 3]>(mixed) [r] r = Reshape(t, width) [out] y = MatMul(r, w)"""


def attention(model: Model, body: str = HEADS + SOFTMAX + JOINED, outputs: str = "float[1, 6, 16] y") -> ir.Model:
    used = {name: array for name, array in CONSTANTS.items() if f" {name})" in body}
    return model(f"g (float[1, 6, 16] q, float[1, 6, 16] k, float[1, 6, 16] v) => ({outputs}) {{ {body} }}", **used)


def planned(graph: ir.Model, format_: str = "qoperator") -> Plan:
    placement = place(graph, CPU, format_=format_)
    ranges = RANGES | dict.fromkeys(placement.observed, (-4.0, 4.0))
    return make_plan(placement, ranges, CPU, format_)


def test_what_is_found(model: Model) -> None:
    products = attention_products(attention(model))
    assert [p.node.name for p in products] == ["qk", "pv"]
    assert sources(products) == ["q", "k", "shares", "v"]
    assert [move.name for move in products[0].right.moves] == ["rk", "tk"]


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        ("y = MatMul(q, k)", "float[1, 6, 6] y"),
        (f"{HEADS} [double] sum = Add(scores, scores) y = Softmax(sum)", "float[1, 2, 6, 6] y"),
        ("[qw] a = MatMul(q, w) y = Softmax(a)", "float[1, 6, 16] y"),
    ],
    ids=["no softmax", "read twice", "a weight"],
)
def test_what_is_not(model: Model, body: str, outputs: str) -> None:
    assert attention_products(attention(model, body, outputs)) == []


def test_plan(model: Model) -> None:
    graph = attention(model)
    plan = with_integer_products(planned(graph), attention_products(graph), RANGES, CPU)
    assert plan is not None
    forms = {name: plan.nodes[name].form for name in ("qk", "pv", "tk", "softmax")}
    assert forms == {
        "qk": Form.INTEGER_TO_FLOAT, "pv": Form.INTEGER, "tk": Form.INTEGER, "softmax": Form.FLOAT
    }  # fmt: skip
    for name, dtype in {"tq": "uint8", "tk": "int8", "shares": "uint8", "tv": "int8"}.items():
        assert plan.values[name].zero_point.dtype == dtype
    assert plan.values["k"] == plan.values["tk"]
    check_fits(loads(dumps(plan)), graph, CPU)


@pytest.mark.parametrize("saturates", [False, True])
@pytest.mark.parametrize("format_", ["qdq", "qoperator"])
def test_where_it_is_not_done(model: Model, saturates: bool, format_: str) -> None:
    graph = attention(model)
    plan = with_integer_products(
        planned(graph, format_), attention_products(graph), RANGES, replace(CPU, saturates=saturates)
    )
    assert (plan is not None) == (format_ == "qoperator" and not saturates)


def test_what_the_user_excluded_stays_float(model: Model) -> None:
    graph = attention(model)
    before = planned(graph)
    before.nodes["qk"] = Decision(Form.FLOAT, Reason(Code.EXCLUDED, "qk"))
    plan = with_integer_products(before, attention_products(graph), RANGES, CPU)
    assert plan is not None
    assert not plan.is_integer("qk")
    assert plan.is_integer("pv")


def test_integers_are_right(model: Model) -> None:
    graph = attention(model)
    plan = with_integer_products(planned(graph), attention_products(graph), RANGES, CPU)
    context, stages = Context(target=CPU, plan=plan), Pipeline.default()
    reference, _ = stages.stage("quantize").run(graph.clone(), context)
    lowered, _ = stages.stage("lower").run(reference.clone(), context)
    ops = [node.op_type for node in lowered.graph]
    assert ops.count("MatMulIntegerToFloat") == 2
    assert ops.count("QLinearMatMul") == 1
    assert "MatMul" not in ops
    assert "Mul" not in ops
    check_steps(reference, lowered, FEED)
    wanted, got = run_as_written(graph, FEED)[0], run_as_written(lowered, FEED)[0]
    assert np.abs(got - wanted).max() < 0.08


@pytest.mark.parametrize("code", [Code.EXCLUDED, Code.RECIPE])
def test_a_move_that_the_user_wants_in_float_stays_so(model: Model, code: Code) -> None:
    graph = attention(model)
    before = planned(graph)
    before.nodes["tk"] = Decision(Form.FLOAT, Reason(code, "tk"))
    plan = with_integer_products(before, attention_products(graph), RANGES, CPU)
    assert plan is not None
    assert not plan.is_integer("tk")
    assert not plan.is_integer("qk")
    assert plan.is_integer("pv")


def test_keys_and_values_of_products_without_bias(model: Model) -> None:
    """They are int8 while what comes in is uint8, and no kernel makes the one of the other."""
    made = "[mq] mq = MatMul(q, w) [mk] mk = MatMul(k, w) [mv] mv = MatMul(v, w)"
    heads = HEADS.replace("Reshape(", "Reshape(m")
    graph = attention(model, made + heads + SOFTMAX + JOINED)
    products = attention_products(graph)
    plan = with_integer_products(planned(graph), products, dict.fromkeys(sources(products), (-4.0, 4.0)), CPU)
    assert plan is not None
    lowered, _ = Pipeline.default().stage("quantize", "lower").run(graph.clone(), Context(target=CPU, plan=plan))
    ops = {node.name: node.op_type for node in lowered.graph}
    assert (ops["mq"], ops["mk"], ops["mv"]) == ("QLinearMatMul", "MatMulIntegerToFloat", "MatMulIntegerToFloat")
    assert np.abs(run_as_written(graph, FEED)[0] - run_as_written(lowered, FEED)[0]).max() < 0.3


def test_one_value_cannot_be_both_factors(model: Model) -> None:
    """As a left one it would be uint8, as a right one int8."""
    graph = attention(model, HEADS.replace("Reshape(k,", "Reshape(q,") + SOFTMAX + JOINED)
    plan = with_integer_products(planned(graph), attention_products(graph), RANGES, CPU)
    assert plan is not None
    assert not plan.is_integer("qk")
    assert plan.is_integer("pv")
