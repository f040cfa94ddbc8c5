"""Global average pooling on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, emit


@dataclass(frozen=True)
class FuseQLinearPool(UnaryLowering):
    """Fuse a quantized GlobalAveragePool into QLinearGlobalAveragePool.

    Before: `y_q = Q(GlobalAveragePool(DQ(x_q)), sy, zy)`
    After:  `y_q = com.microsoft.QLinearGlobalAveragePool(x_q, sx, zx, sy, zy)`
    """

    name: ClassVar[str] = "fuse-qlinear-pool"
    ops: ClassVar[tuple[str, ...]] = ("GlobalAveragePool",)

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one pooling."""
        inputs = [*unit.x.triple, unit.y.scale, unit.y.zero_point]
        emit(node, unit.result, "QLinearGlobalAveragePool", inputs, {"channels_last": 0})
        return True
