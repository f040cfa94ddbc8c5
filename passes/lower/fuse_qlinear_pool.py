"""Global average pooling on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import Lowering, dequantized, emit, requantized


@dataclass(frozen=True)
class FuseQLinearPool(Lowering):
    """Fuse a quantized GlobalAveragePool into QLinearGlobalAveragePool.

    Before: `y_q = Q(GlobalAveragePool(DQ(x_q)), sy, zy)`
    After:  `y_q = com.microsoft.QLinearGlobalAveragePool(x_q, sx, zx, sy, zy)`
    """

    name: ClassVar[str] = "fuse-qlinear-pool"
    ops: ClassVar[tuple[str, ...]] = ("GlobalAveragePool",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one pooling."""
        x, y = dequantized(node.inputs[0]), requantized(node.outputs[0])
        if x is None:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        quantize, result = y
        inputs = [*x.triple, result.scale, result.zero_point]
        emit(node, quantize.outputs[0], "QLinearGlobalAveragePool", inputs, {"channels_last": 0})
        return True
