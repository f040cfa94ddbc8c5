"""Convolutions that are matrix products, with a float result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, constant
from qcompile.passes.lower.integers import Lowering, Quantized, dequantized, emit, plain_attributes, requantized
from qcompile.targets import NodeFacts
from qcompile.targets.convolution import is_pointwise


@dataclass(frozen=True)
class FusePointwiseConv(Lowering):
    """Fuse a quantized 1x1 Conv whose output stays float into MatMulIntegerToFloat, channels last.

    Before: `y = Conv(DQ(x_q), DQ(w_q), DQ(b_q))`
    After:  `r = Transpose <perm = [0, 2, 3, 1]> (x_q)
            t = com.microsoft.MatMulIntegerToFloat(r, w_columns, sx, sw, zx, zw, b)
            y = Transpose <perm = [0, 3, 1, 2]> (t)`

    The runtime computes its integer convolutions channels last, too, so that the first Transpose meets its inverse.
    Float-equal up to rounding. Not with strides, pads or groups, which are no product.
    """

    name: ClassVar[str] = "fuse-pointwise-conv"
    ops: ClassVar[tuple[str, ...]] = ("Conv",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one convolution."""
        x, w = dequantized(node.inputs[0]), dequantized(node.inputs[1])
        codes = constant(w.value) if w is not None else None
        if x is None or w is None or codes is None or requantized(node.outputs[0]) or not _is_product(node, codes):
            return None
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        vector = _float_vector(bias)
        if bias is not None and vector is None:
            return "its bias is computed"
        _replace(node, x, w, codes, vector, names)
        return True


def _is_product(node: ir.Node, codes: np.ndarray) -> bool:
    return is_pointwise(NodeFacts("Conv", plain_attributes(node), (None, codes.shape), frozenset()))


def _float_vector(bias: ir.Value | None) -> np.ndarray | None:
    """A bias as floats, be it given so or on the grid of the accumulator."""
    quantized = dequantized(bias)
    codes = constant(quantized.value) if quantized is not None else None
    if quantized is None or codes is None:
        return constant(bias)
    return np.asarray(codes * quantized.params().scale.astype(np.float64), np.float32)


def _replace(
    node: ir.Node, x: Quantized, w: Quantized, codes: np.ndarray, bias: np.ndarray | None, names: Names
) -> None:
    graph, y, rank = node.graph, node.outputs[0], codes.ndim
    assert isinstance(graph, ir.Graph)
    columns = np.ascontiguousarray(codes.reshape(codes.shape[:2]).T)
    rows = ir.node("Transpose", [x.value], {"perm": [0, *range(2, rank), 1]}, name=names.node(f"{node.name}_rows"))
    rows.outputs[0].name = names.value(f"{y.name}_rows")
    inputs = [
        rows.outputs[0],
        names.initializer(graph, f"{w.value.name}_columns", columns),
        *(x.scale, w.scale, x.zero_point, w.zero_point),
        *([] if bias is None else [names.initializer(graph, f"{node.name}_bias_float", bias)]),
    ]
    product = ir.node("MatMulIntegerToFloat", inputs, domain=CONTRIB, name=node.name)
    product.outputs[0].name = names.value(f"{y.name}_channels_last")
    product.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    graph.insert_before(node, [rows, product])
    perm, name = [0, rank - 1, *range(1, rank - 1)], names.node(f"{node.name}_channels")
    emit(node, y, "Transpose", [product.outputs[0]], {"perm": perm}, domain="", name=name)
