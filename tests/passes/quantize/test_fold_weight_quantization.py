"""fold-weight-quantization: the codes that QuantizeLinear makes, stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from qcompile.passes.quantize.fold_weight_quantization import FoldWeightQuantization
from qcompile.passes.quantize.insert_qdq import InsertQDQ
from qcompile.pipeline import Context
from qcompile.runtime import run_as_written

RNG = np.random.default_rng(3)
CheckRewrite = Callable[..., Any]
Quantize = Callable[..., Any]


def graph(nodes: str, declared: str, inputs: str = "float[4] x") -> str:
    return f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}) => (float[6,4] y) <{declared}> {{ {nodes} }}'


def test_per_channel(check_rewrite: CheckRewrite) -> None:
    scales, half = RNG.uniform(1e-3, 1e-1, 6).astype(np.float32), np.float32(0.5)
    weight = RNG.normal(size=(6, 4)).astype(np.float32)
    weight[:, 0] = scales * half * np.array([1, 3, 5, -1, -3, 300])  # ties, and one that saturates
    nodes = "d = DequantizeLinear<axis=0>({}, s, z) y = Add(d, x)"
    declared = "float[6,4] w, float[6] s, int8[6] z"
    check_rewrite(
        FoldWeightQuantization(),
        graph("q = QuantizeLinear<axis=0>(w, s, z) " + nodes.format("q"), declared),
        graph(nodes.format("q"), "int8[6,4] q, float[6] s, int8[6] z"),
        tolerance=0,
        w=weight,
        s=scales,
        z=np.zeros(6, np.int8),
    )


def test_one_scale_and_a_zero_point(check_rewrite: CheckRewrite) -> None:
    nodes = "d = DequantizeLinear(q, s, z) y = Add(d, x)"
    check_rewrite(
        FoldWeightQuantization(),
        graph(f"q = QuantizeLinear(w, s, z) {nodes}", "float[6,4] w, float s, uint8 z"),
        graph(nodes, "uint8[6,4] q, float s, uint8 z"),
        tolerance=0,
        w=RNG.normal(size=(6, 4)).astype(np.float32),
        s=np.array(0.0173, np.float32),
        z=np.array(77, np.uint8),
    )


def test_computed_values_and_weights_that_a_caller_may_replace_stay(check_rewrite: CheckRewrite) -> None:
    arrays = {
        "w": RNG.normal(size=(6, 4)).astype(np.float32),
        "s": np.array(0.0173, np.float32),
        "z": np.array(77, np.uint8),
    }
    nodes = "q = QuantizeLinear({}, s, z) d = DequantizeLinear(q, s, z) y = Add(d, x)"
    declared = "float s, uint8 z"
    computed = graph("t = Neg(w) " + nodes.format("t"), f"float[6,4] w, {declared}")
    check_rewrite(FoldWeightQuantization(), computed, None, **arrays)
    check_rewrite(
        FoldWeightQuantization(), graph(nodes.format("w"), declared, "float[4] x, float[6,4] w"), None, **arrays
    )


def test_no_float_weight_stays_behind(quantize: Quantize) -> None:
    interface = "(float[1,4,6,6] x) => (float[1,5] y)"
    nodes = "a = Conv(x, w, b) r = Relu(a) s = Mul(r, k) p = GlobalAveragePool(s) f = Flatten(p) y = Gemm(f, g, c)"
    made = quantize(interface, nodes, w=(8, 4, 3, 3), b=(8,), k=(8, 1, 1), g=(8, 5), c=(5,))
    for model in (made.qdq, made.lowered):
        weights = model.graph.initializers
        assert {"w_quantized", "k_quantized", "g_quantized"} < set(weights)
        floats = {name for name, value in weights.items() if value.dtype == ir.DataType.FLOAT}
        assert all(name.endswith("_scale") for name in floats)


def test_a_shared_weight_is_stored_for_each_reader_with_its_own_scales(quantize: Quantize) -> None:
    interface = "(float[1,4,6,6] x, float[1,4,6,6] u) => (float[1,8,6,6] y, float[1,8,6,6] z)"
    weights = {"w": (8, 4, 1, 1), "b": np.full(8, 1e4, np.float32)}
    ranges = {"x": (-1.0, 1.0), "u": (-1e-6, 1e-6)}
    made = quantize(interface, "[one] y = Conv(x, w, b) [two] z = Conv(u, w, b)", ranges=ranges, **weights)
    stored = {name: value.const_value.numpy() for name, value in made.qdq.graph.initializers.items()}
    assert not {"w", "b"} & set(stored)
    one, two = stored["one_w_scale"], stored["two_w_scale"]
    assert (two > one).all()  # the small input would let the bias overflow
    for name, scale in (("one", one), ("two", two)):
        codes, w = stored[f"{name}_w_quantized"], made.canonical.graph.initializers["w"].const_value.numpy()
        np.testing.assert_array_equal(codes, np.rint(w / scale.reshape(-1, 1, 1, 1)).astype(np.int8))


def test_a_weight_that_a_float_node_reads_too_stays_for_it(quantize: Quantize) -> None:
    interface = "(float[1,4,6,6] x, float[8,4,1,1] f) => (float[1,8,6,6] y, float[8,4,1,1] z)"
    made = quantize(interface, "y = Conv(x, w) z = Sub(f, w)", w=(8, 4, 1, 1))
    assert {"w", "Conv_0_w_quantized"} < set(made.lowered.graph.initializers)


def test_folding_changes_no_output(quantize: Quantize) -> None:
    made = quantize("(float[3,16] x) => (float[3,8] y)", "y = MatMul(x, w)", w=(16, 8))
    model, context = made.canonical.clone(), Context(plan=made.plan)
    InsertQDQ().run(model, context)
    unfolded = run_as_written(model, made.feed)
    assert FoldWeightQuantization().run(model, context).changes == 1
    np.testing.assert_array_equal(run_as_written(model, made.feed), unfolded)
