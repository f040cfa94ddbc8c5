"""segment-outputs: what becomes of the graph, and codes of more than 8 bits to the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.quantize.segment_outputs import SegmentOutputs
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Decision, Form, Plan
from qcompile.runtime import Session, run_as_written
from qcompile.targets import find_target
from qcompile.verify import step_errors

QUANTIZE = Pipeline.default().stage("quantize")
LOWER = Pipeline.default().stage("lower")
IMAGE = "(float[1,8,9,9] x) => (float[1,3,9,9] y)"
CONV = "[conv] y = Conv<pads=[1,1,1,1]>(x, w, b)"
WEIGHTS = {"w": (3, 8, 3, 3), "b": (3,)}


def segmented(made: Any, count: int) -> tuple[ir.Model, Plan]:
    """The QDQ form of a quantized graph with its Conv cut into segments, and the plan."""
    plan = replace(made.plan, segments={"conv": count})
    model, _ = QUANTIZE.run(made.canonical.clone(), Context(plan=plan))
    return model, plan


def unrounded(made: Any) -> np.ndarray:
    """The output where only the Conv's input and weights are quantized."""
    nodes = {"conv": Decision(Form.INTEGER_TO_FLOAT)}
    plan = Plan("cpu", nodes=nodes, values={"x": made.plan.values["x"]}, weights=made.plan.weights)
    model, _ = QUANTIZE.run(made.canonical.clone(), Context(plan=plan))
    return np.asarray(run_as_written(model, made.feed)[0])


def operators(model: ir.Model) -> list[str]:
    edges = ("QuantizeLinear", "DequantizeLinear")
    return [node.op_type for node in model.graph if node.op_type not in edges]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("count", [2, 4, 16])
def test_the_output_has_that_many_more_codes(quantize: Callable[..., Any], count: int, dtype: str) -> None:
    """It equals rounding to count times as many steps, cut off where the 8-bit range ends."""
    target = replace(find_target("cpu"), activation_dtype=dtype)
    made = quantize(IMAGE, CONV, target=target, ranges={"y": (-2.0, 5.0)}, **WEIGHTS)
    model, plan = segmented(made, count)
    (y,) = run_as_written(model, made.feed)
    low, high = plan.values["y"].real_range
    step = float(plan.values["y"].scale) / count
    exact = unrounded(made)
    assert exact.min() < low < high < exact.max()
    wanted = np.clip(np.rint(exact / step) * step, low, high)
    assert np.abs(y - wanted).max() < 1.01 * step
    # biases are rounded to the accumulator's grid, by half of it at most: as much of a step goes to the next code
    grid = float(plan.values["x"].scale * plan.weights["conv", 1].scale.max())
    assert np.mean(np.abs(y - wanted) > 0.01 * step) < grid / step


def test_the_kernels_are_integer(quantize: Callable[..., Any]) -> None:
    made = quantize(IMAGE, CONV, **WEIGHTS)
    model, plan = segmented(made, 4)
    assert operators(model) == ["Tile", "Conv", "Conv"]
    lowered, _ = LOWER.run(model.clone(), Context(plan=plan))
    assert operators(lowered) == ["Tile", "QLinearConv", "Transpose", "MatMulIntegerToFloat", "Transpose"]
    assert [(v.name, v.dtype) for v in lowered.graph.outputs] == [("y", ir.DataType.FLOAT)]
    (as_written,), (optimized,) = run_as_written(model, made.feed), Session(lowered).run(made.feed)
    step = float(plan.values["y"].scale) / 4
    assert np.abs(as_written - optimized).max() < 1.01 * step
    errors = step_errors(model, lowered, made.feed)
    assert {error.value for error in errors} == {"x_quantized", "conv_segments_codes", "y"}
    assert all(error.is_within_contract for error in errors)


def test_clamps_are_float_again(quantize: Callable[..., Any]) -> None:
    made = quantize(IMAGE, "[conv] t = Conv<pads=[1,1,1,1]>(x, w) [relu] r = Relu(t) [elu] y = Elu(r)", w=(3, 8, 3, 3))
    model, _ = segmented(made, 4)
    assert operators(model) == ["Tile", "Conv", "Conv", "Relu", "Elu"]
    (coarse,), (fine,) = run_as_written(made.qdq, made.feed), run_as_written(model, made.feed)
    exact = unrounded(made)
    assert fine.min() == 0.0
    assert np.std(fine - exact) < np.std(coarse - exact) / 3.5


def test_a_bias_that_would_not_fit(quantize: Callable[..., Any]) -> None:
    """A dead channel has the smallest scale that there is: no shift fits its grid."""
    weight = np.random.default_rng(0).normal(size=(3, 8, 3, 3)).astype(np.float32)
    weight[1] = 0
    made = quantize(IMAGE, "[conv] y = Conv<pads=[1,1,1,1]>(x, w)", w=weight)
    result = SegmentOutputs().run(made.qdq, Context(plan=replace(made.plan, segments={"conv": 4})))
    assert result.changes == 0
    assert [reason.detail for _, reason in result.declined] == ["its shifted biases do not fit int32"]


def test_without_segments_nothing_changes(quantize: Callable[..., Any]) -> None:
    made = quantize(IMAGE, CONV, **WEIGHTS)
    assert SegmentOutputs().run(made.qdq, Context(plan=made.plan)).changes == 0
