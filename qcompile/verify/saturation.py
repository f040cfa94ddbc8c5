"""On which CPUs the integers of a result are exact: proven from its weights where the kind of CPU does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, attribute, constant, is_op, nodes
from qcompile.quant import may_saturate
from qcompile.targets import WITHOUT_VNNI, Target


def _conv(node: ir.Node, weight: np.ndarray) -> tuple[int, int] | None:
    depthwise = weight.shape[1] == 1 and attribute(node, "group", 1) == len(weight) > 1
    return None if depthwise else (0, 1)  # that kernel widens each byte and adds no pairs


def _matrix(node: ir.Node, weight: np.ndarray) -> tuple[int, int]:
    return (0, 1) if attribute(node, "transB", 0) else (weight.ndim - 1, weight.ndim - 2)


Axes = Callable[[ir.Node, np.ndarray], tuple[int, int] | None]

_WEIGHTS: dict[str, tuple[tuple[int, ...], Axes]] = {
    "Conv": ((1,), _conv),
    "ConvInteger": ((1,), _conv),
    "DynamicQuantizeLSTM": ((1, 2), _matrix),
    "DynamicQuantizeMatMul": ((1,), _matrix),
    "Gemm": ((1,), _matrix),
    "MatMul": ((1,), _matrix),
    "MatMulInteger": ((1,), _matrix),
    "MatMulIntegerToFloat": ((1,), _matrix),
    "QGemm": ((3,), _matrix),
    "QLinearConv": ((3,), _conv),
    "QLinearMatMul": ((3,), _matrix),
}
"""Indexes of the weights by operator, and their axes of outputs and of what is summed first."""


def exact_classes(model: ir.Model, target: Target) -> tuple[str, ...]:
    """The CPU classes on which the integers of a compiled model are exact.

    Those of the target; and CPUs without VNNI if and only if no pair of weights can exceed the 16 bits that they have.
    """
    others = tuple(name for name in target.exact_on if name != WITHOUT_VNNI)
    is_x86 = any(name.startswith("x86-64") for name in target.exact_on)
    return (*others, WITHOUT_VNNI) if is_x86 and not saturating_nodes(model) else others


def saturating_nodes(model: ir.Model) -> list[str]:
    """Names of the nodes whose int8 weights, or codes in the place of weights, may exceed 16 bits in pairs."""
    known = [node for node in nodes(model) if node.domain in ("", CONTRIB)]
    found = (node for node in known if any(_saturates(node, codes) for codes in _codes(node)) or _is_open(node))
    return [node.name or "" for node in found]


def _codes(node: ir.Node) -> Iterator[np.ndarray]:
    """The codes of a node's weights, as they are or dequantized."""
    for index in _WEIGHTS.get(node.op_type, ((),))[0]:
        value = node.inputs[index]
        maker = value.producer() if value is not None else None
        codes = constant(maker.inputs[0] if maker is not None and is_op(maker, "DequantizeLinear") else value)
        if codes is not None and codes.dtype == np.int8:
            yield codes


def _is_open(node: ir.Node) -> bool:
    """Whether a product has int8 codes for weights that are computed, so that nothing is known of their pairs."""
    index = {"MatMulIntegerToFloat": 1, "QLinearMatMul": 3}.get(node.op_type)
    value = node.inputs[index] if index is not None else None
    return value is not None and value.dtype == ir.DataType.INT8 and constant(value) is None


def _saturates(node: ir.Node, codes: np.ndarray) -> bool:
    axes = _WEIGHTS[node.op_type][1](node, codes)
    return axes is not None and bool(may_saturate(codes, *axes).any())
