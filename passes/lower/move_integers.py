"""Data movement on 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, is_op, sole_consumer
from qcompile.passes.lower.integers import Lowering, Quantized, dequantized, requantized

_MOVES = (
    "DepthToSpace", "Expand", "Flatten", "Gather", "MaxPool", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip


@dataclass(frozen=True)
class MoveIntegers(Lowering):
    """Let operators that only move values about run on the 8-bit values.

    Before: `y_q = Q(Reshape(DQ(x_q, s, z), shape), s, z)`
    After:  `y_q = Reshape(x_q, shape)`

    Only where input and output have the same parameters. Exact.
    """

    name: ClassVar[str] = "move-integers"
    ops: ClassVar[tuple[str, ...]] = _MOVES

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Let one node read and make 8-bit values."""
        x = dequantized(node.inputs[0])
        if x is None:
            return None
        results = [requantized(value) for value in node.outputs if value.uses() or value.is_graph_output()]
        if any(result is None for result in results):
            return "its output is not quantized for all readers"
        if any(result is not None and result[1].params() != x.params() for result in results):
            return "input and output have different parameters"
        node.replace_input_with(0, x.value)
        for value in list(node.outputs):
            _requantize_in_place(value, x)
        return True


def _requantize_in_place(value: ir.Value, x: Quantized) -> None:
    """Let the value itself be the 8-bit one, under the name that the plan's pair gave it."""
    quantize = sole_consumer(value)
    value.type = ir.TensorType(x.value.dtype or ir.DataType.UINT8)
    if quantize is None or not is_op(quantize, "QuantizeLinear"):
        return
    old = quantize.outputs[0]
    name, old.name = old.name, None
    old.replace_all_uses_with(value)
    value.name = name
