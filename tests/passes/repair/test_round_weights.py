"""round-weights: text in, text out, and after quantizing exactly the codes of the plan."""

from __future__ import annotations

import re
import zlib

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import constant
from qcompile.passes.repair.round_weights import RoundWeights
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.quant import QuantParams, pack_steps, rounded_codes, weight_params

HEAD = '<ir_version: 10, opset_import: ["": 21]> g'
CONV = "(float[1,2,4,4] x) => (float[1,3,4,4] y) { [node] y = Conv(x, w) }"
SHARED = """(float[2,3] x) => (float[2,3] y, float[2,3] z) {
  [node] y = MatMul(x, w)
  [other] z = MatMul(x, w)
}"""
RNG = np.random.default_rng(6)


def plan(weight: np.ndarray, axis: int, steps: np.ndarray) -> Plan:
    params = weight_params(weight, axis)
    nearest = params.quantize(weight)
    codes = np.clip(nearest + steps, -127, 127).astype(np.int8)
    return Plan("cpu", weights={("node", 1): params}, roundings={("node", 1): pack_steps(codes, nearest)})


def run(graph: str, weight: np.ndarray, decided: Plan) -> tuple[ir.Model, int]:
    model = ir.from_onnx_text(HEAD + graph, initializers=[ir.tensor(weight, name="w")])
    return model, RoundWeights().run(model, Context(plan=decided)).changes


def nodes(model: ir.Model) -> list[str]:
    return re.findall(r"\w+ = \w+ \(.*\)", ir.to_onnx_text(model))


@pytest.mark.parametrize("magnitude", [1e-18, 1e-3, 1.0, 1e30])
def test_quantizing_gives_the_codes_of_the_plan(magnitude: float) -> None:
    weight = (magnitude * RNG.normal(size=(3, 2, 1, 1))).astype(np.float32)
    decided = plan(weight, 0, RNG.integers(-2, 3, weight.shape))
    model, changes = run(CONV, weight, decided)
    assert changes == 1
    assert nodes(model) == ["y = Conv (x, w_rounded)"]
    moved, params = constant(model.graph.node(0).inputs[1]), decided.weights["node", 1]
    assert moved is not None
    wanted = rounded_codes(weight, params, decided.roundings["node", 1])
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(params.quantize(moved), wanted)
    assert (wanted != params.quantize(weight)).any()


def test_every_code_survives_any_scale() -> None:
    """The division of QuantizeLinear undoes the product, for all codes and scales of all magnitudes."""
    codes = np.tile(np.arange(-127, 128, dtype=np.int8), (5000, 1))
    scale = np.exp(RNG.uniform(np.log(1e-18), np.log(1e30), 5000)).astype(np.float32)
    params = QuantParams(scale, np.zeros(5000, np.int8), 0)
    np.testing.assert_array_equal(params.quantize(params.dequantize(codes)), codes)


def test_the_other_reader_of_a_weight_keeps_it() -> None:
    weight = RNG.normal(size=(3, 3)).astype(np.float32)
    model, changes = run(SHARED, weight, plan(weight, 1, np.ones((3, 3), np.int8)))
    assert changes == 1
    assert nodes(model) == ["y = MatMul (x, w_rounded)", "z = MatMul (x, w)"]
    np.testing.assert_array_equal(constant(model.graph.initializers["w"]), weight)


def test_without_roundings_nothing_changes() -> None:
    weight = RNG.normal(size=(3, 2, 1, 1)).astype(np.float32)
    model, changes = run(CONV, weight, Plan("cpu", weights={("node", 1): weight_params(weight, 0)}))
    assert changes == 0
    assert nodes(model) == ["y = Conv (x, w)"]


def test_a_rounding_without_scales_is_left_out() -> None:
    steps = zlib.compress(np.ones(6, np.int8).tobytes())
    model, changes = run(
        CONV, RNG.normal(size=(3, 2, 1, 1)).astype(np.float32), Plan("cpu", roundings={("node", 1): steps})
    )
    assert changes == 0
    assert nodes(model) == ["y = Conv (x, w)"]
