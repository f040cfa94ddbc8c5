"""quantize-bias: int32 on the grid of the accumulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

Quantize = Callable[..., Any]
Array = np.ndarray[Any, Any]
IMAGE = "(float[1,4,6,6] x) => (float[1,8,6,6] y)"


def stored(model: ir.Model) -> dict[str, Array]:
    return {name: v.const_value.numpy() for name, v in model.graph.initializers.items() if v.const_value is not None}


ROWS = "(float[3,4] x) => (float[3,8] y)"


@pytest.mark.parametrize(
    ("interface", "node", "w", "size"),
    [
        (IMAGE, "[n] y = Conv(x, w, b)", (8, 4, 1, 1), 8),
        (ROWS, "[n] y = Gemm(x, w, b)", (4, 8), 8),
        (ROWS, "[n] y = Gemm(x, w, b)", (4, 8), 1),
        (ROWS, "[n] y = Gemm<transB=1>(x, w, b)", (8, 4), 8),
    ],
)
def test_codes_scales_and_zero_points(
    quantize: Quantize, interface: str, node: str, w: tuple[int, ...], size: int
) -> None:
    made = quantize(interface, node, w=w, b=(size,))
    arrays = stored(made.qdq)
    grid = arrays["x_scale"] * arrays["w_scale"]
    np.testing.assert_array_equal(arrays["n_bias_scale"], grid)
    assert arrays["n_bias_quantized"].dtype == arrays["n_bias_zero_point"].dtype == np.int32
    assert not arrays["n_bias_zero_point"].any()
    bias = made.canonical.graph.initializers["b"].const_value.numpy()
    np.testing.assert_allclose(
        arrays["n_bias_quantized"] * grid.astype(float), np.broadcast_to(bias, 8), atol=grid.max()
    )


def test_a_dead_channel_keeps_its_bias(quantize: Quantize) -> None:
    weight = np.random.default_rng(0).normal(size=(8, 4, 1, 1)).astype(np.float32)
    weight[3] = 0
    bias = np.linspace(-3, 3, 8, dtype=np.float32)
    made = quantize(IMAGE, "[n] y = Conv(x, w, b)", w=weight, b=bias)
    arrays = stored(made.qdq)
    assert not arrays["w_quantized"][3].any()
    kept = arrays["n_bias_quantized"][3] * float(arrays["n_bias_scale"][3])
    np.testing.assert_allclose(kept, bias[3], rtol=1e-6)


def test_readers_of_one_bias_have_codes_of_their_own(quantize: Quantize) -> None:
    interface = "(float[1,4,6,6] x, float[1,4,6,6] u) => (float[1,8,6,6] y, float[1,8,6,6] z)"
    nodes, ranges = "[one] y = Conv(x, w, b) [two] z = Conv(u, w, b)", {"x": (-1.0, 1.0), "u": (-4.0, 4.0)}
    arrays = stored(quantize(interface, nodes, ranges=ranges, w=(8, 4, 1, 1), b=(8,)).qdq)
    assert "b" not in arrays
    np.testing.assert_allclose(arrays["one_bias_quantized"], 4.0 * arrays["two_bias_quantized"], atol=3)


def test_float_nodes_and_nodes_without_bias_stay(quantize: Quantize) -> None:
    nodes = "[n] a = Conv(x, w) [f] y = Conv(a, v, b)"
    made = quantize(IMAGE, nodes, exclude=["f"], w=(8, 4, 1, 1), v=(8, 8, 1, 1), b=(8,))
    assert {"v", "b"} < set(stored(made.qdq))
    assert not [name for name in stored(made.qdq) if "bias" in name]
