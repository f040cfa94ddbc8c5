"""migrate-scales: text in, text out, and outputs that do not move."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcompile.decide import scale_links
from qcompile.ir import constant, static_shape
from qcompile.passes.repair import MigrateScales, migrated_constant
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.runtime import run_as_written

HEAD = '<ir_version: 10, opset_import: ["": 23]> g '
GRAPHS = {
    "depthwise": (
        """(float[2,3,6,6] x) => (float[2,4,2,2] y) {
          a = Conv(x, w0, b0) b = Relu(a) c = Conv<group=6>(b, w1, b1) d = LeakyRelu(c)
          e = MaxPool<kernel_shape=[2,2], strides=[2,2]>(d) y = Conv(e, w2)
        }""",
        {"w0": (6, 3, 1, 1), "b0": (6,), "w1": (6, 1, 3, 3), "b1": (6,), "w2": (4, 6, 1, 1)},
    ),
    "three readers": (
        """(float[2,5,8] x) => (float[2,5,4] q, float[2,5,4] k, float[2,5,4] v) {
          n = LayerNormalization(x, scale, shift) q = MatMul(n, wq) k = MatMul(n, wk) v = MatMul(n, wv)
        }""",
        {"scale": (8,), "shift": (8,), "wq": (8, 4), "wk": (8, 4), "wv": (8, 4)},
    ),
    "linear": (
        """(float[2,5] x) => (float[2,3] y) {
          a = Gemm<transB=1, alpha=0.5, beta=2.0>(x, w0, b0) b = Relu(a) y = Gemm<transB=1>(b, w1, b1)
        }""",
        {"w0": (7, 5), "b0": (7,), "w1": (3, 7), "b1": (3,)},
    ),
    "constants": (
        """(float[2,5,8] x) => (float[2,5,4] y) {
          a = Mul(x, scale) b = Add(a, shift) c = Mul(b, x) d = Transpose<perm=[1,0,2]>(c) e = MatMul(d, w)
          y = Transpose<perm=[1,0,2]>(e)
        }""",
        {"scale": (8,), "shift": (1, 8), "w": (8, 4)},
    ),
    "grouped": (
        """(float[2,4,5,5] x) => (float[2,6,5,5] y) {
          a = InstanceNormalization(x, scale, shift) b = ConvTranspose<group=2>(a, w0, b0) y = Conv<group=3>(b, w1)
        }""",
        {"scale": (4,), "shift": (4,), "w0": (4, 3, 1, 1), "b0": (6,), "w1": (6, 2, 1, 1)},
    ),
    "pooled": (
        """(float[2,3,4,4] x) => (float[2,5] y) {
          a = Conv(x, w0) b = GlobalAveragePool(a) c = Flatten(b) y = Gemm(c, w1)
        }""",
        {"w0": (6, 3, 1, 1), "w1": (6, 5)},
    ),
}
LINKS = {"depthwise": 2, "three readers": 1, "linear": 1, "constants": 1, "grouped": 2, "pooled": 1}


def built(name: str) -> ir.Model:
    text, shapes = GRAPHS[name]
    rng = np.random.default_rng(3)
    return parsed(text, {n: rng.normal(size=shape).astype(np.float32) for n, shape in shapes.items()})


def parsed(text: str, weights: dict[str, np.ndarray]) -> ir.Model:
    tensors = [ir.tensor(array, name=name) for name, array in weights.items()]
    proto = ir.to_proto(ir.from_onnx_text(HEAD + text, initializers=tensors))
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def migrated(model: ir.Model, factors: Sequence[np.ndarray]) -> tuple[ir.Model, Plan]:
    links = scale_links(model)
    names = [[value.name or "" for value in link.values] for link in links]
    plan = Plan(
        "cpu", migrations={n: tuple(f.tolist()) for f, values in zip(factors, names, strict=True) for n in values}
    )
    result = model.clone()
    MigrateScales().run(result, Context(plan=plan))
    return result, plan


def outputs(model: ir.Model) -> list[np.ndarray]:
    shape = static_shape(model.graph.inputs[0])
    return list(run_as_written(model, {"x": np.random.default_rng(5).normal(size=shape).astype(np.float32)}))


@pytest.mark.parametrize("name", GRAPHS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_outputs_do_not_move(name: str, data: st.DataObject) -> None:
    """By powers of two not at all, by other numbers as far as rounding moves them."""
    model = built(name)
    links = scale_links(model)
    assert len(links) == LINKS[name]
    exact = data.draw(st.booleans())
    kind = st.integers(-12, 12) if exact else st.floats(-12, 12)
    factors = [
        np.exp2(np.array(data.draw(st.lists(kind, min_size=link.channels, max_size=link.channels)), np.float32))
        for link in links
    ]
    result, _ = migrated(model, factors)
    for before, after in zip(outputs(model), outputs(result), strict=True):
        if exact:
            np.testing.assert_array_equal(after, before)
        else:
            np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_value_is_divided_and_constants_are_as_foretold(name: str) -> None:
    model = built(name)
    rng = np.random.default_rng(7)
    result, plan = migrated(model, [np.exp2(rng.integers(-3, 3, link.channels)) for link in scale_links(model)])
    for old, new in zip(model.graph, result.graph, strict=True):
        for index, value in enumerate(new.inputs):
            foretold, there = migrated_constant(old, index, plan.migrations), constant(value)
            assert (foretold is None) == (there is None)
            if foretold is not None and there is not None:
                np.testing.assert_array_equal(there, foretold)
    for link in scale_links(model):
        for value in link.values:
            before, after = (shown(m, value.name or "") for m in (model, result))
            shape = [1] * before.ndim
            shape[link.axes[value.name or ""]] = -1
            factors = np.reshape(plan.migrations[value.name or ""], shape).astype(np.float32)
            np.testing.assert_array_equal(after * factors, before)


def shown(model: ir.Model, name: str) -> np.ndarray:
    watched = model.clone()
    value = next(v for node in watched.graph for v in node.outputs if v.name == name)
    watched.graph.outputs.append(value)
    return outputs(watched)[-1]


def test_each_node_gets_constants_of_its_own() -> None:
    text = "(float[1,2] x) => (float[1,2] y, float[1,2] z) { a = MatMul(x, w) y = MatMul(a, w) z = MatMul(x, w) }"
    weight = np.array([[2, 3], [5, 7]], np.float32)
    model = parsed(text, {"w": weight})
    result = MigrateScales().run(model, Context(plan=Plan("cpu", migrations={"a": (2.0, 0.5)})))
    assert result.changes == 2
    nodes = re.findall(r"\w+ = \w+ \(.*\)", ir.to_onnx_text(model))
    assert nodes == ["a = MatMul (x, w_migrated)", "y = MatMul (a, w_migrated_1)", "z = MatMul (x, w)"]
    made, read = (constant(node.inputs[1]) for node in list(model.graph)[:2])
    np.testing.assert_array_equal(made, weight / [2, 0.5])
    np.testing.assert_array_equal(read, weight * [[2], [0.5]])


def test_without_factors_nothing_happens() -> None:
    model = built("linear")
    assert MigrateScales().run(model, Context(plan=Plan("cpu"))).changes == 0
