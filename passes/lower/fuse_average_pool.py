"""Average pooling on integers, as a convolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, emit, plain_attributes
from qcompile.targets.table import NodeFacts, Shape
from qcompile.targets.windows import averages_whole_windows, channels_are_known


@dataclass(frozen=True)
class FuseAveragePool(UnaryLowering):
    """Fuse a quantized AveragePool into a depthwise QLinearConv whose weights are ones, their scale 1 / window.

    Before: `y_q = Q(AveragePool <kernel_shape = [3, 3]> (DQ(x_q)), sy, zy)`
    After:  `y_q = QLinearConv <group = C, kernel_shape = [3, 3]> (x_q, sx, zx, ones, 1/9, 0, sy, zy)`

    The sums are exact in int32. QLinearAveragePool, which the runtime has, takes 4 to 10 times longer. Only where
    all windows are of one size: padding counts or there is none, and no window is cut at the end.
    """

    name: ClassVar[str] = "fuse-average-pool"
    ops: ClassVar[tuple[str, ...]] = ("AveragePool",)

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one pooling."""
        attributes, shape = plain_attributes(node), _dimensions(unit.x.value)
        facts = NodeFacts(node.op_type, attributes, (shape,), frozenset())
        if shape is None or not channels_are_known(facts):
            return "its number of channels is unknown"
        if not averages_whole_windows(facts):
            return "its windows are not all of one size"
        kernel, graph = tuple(attributes["kernel_shape"]), node.graph
        assert isinstance(graph, ir.Graph)
        weight: dict[str, np.ndarray] = {
            "ones": np.ones((shape[1], 1, *kernel), np.int8),
            "share": np.array(1 / math.prod(kernel), np.float32),
            "zero": np.array(0, np.int8),
        }
        ones = [names.initializer(graph, f"{node.name}_{part}", array) for part, array in weight.items()]
        kept = {k: v for k, v in attributes.items() if k in ("dilations", "kernel_shape", "pads", "strides")}
        inputs = [*unit.x.triple, *ones, unit.y.scale, unit.y.zero_point]
        emit(node, unit.result, "QLinearConv", inputs, {"group": shape[1], **kept}, domain="")
        return True


def _dimensions(value: ir.Value) -> Shape | None:
    return None if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape)
