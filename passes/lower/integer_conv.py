"""Convolutions on integers whose channels can be put in another order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import EMPTY, Names, attribute, constant, is_op


@dataclass(frozen=True)
class IntegerConv:
    """A QLinearConv in NCHW with constant parameters: dense, or depthwise with as many outputs as inputs."""

    node: ir.Node
    weight: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    bias: np.ndarray | None

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a filter of its own."""
        return int(attribute(self.node, "group", 1)) > 1

    @property
    def x(self) -> ir.Value:
        """What it reads."""
        assert self.node.inputs[0] is not None
        return self.node.inputs[0]

    @property
    def y(self) -> ir.Value:
        """What it makes."""
        return self.node.outputs[0]

    def rearrange(self, reads: np.ndarray, makes: np.ndarray, names: Names) -> None:
        """Read and make channels in other orders: layouts hold the old index of each channel, or `EMPTY`.

        Weights that meet an empty channel are zero: what it holds is not seen, and what is made for it is constant.
        """
        out = np.maximum(makes, 0)
        zero_point = np.broadcast_to(self.zero_point.reshape(-1), len(self.weight))[out]
        weight = self.weight[out] if self.depthwise else self.weight[out][:, np.maximum(reads, 0)]
        is_empty = np.broadcast_to((makes == EMPTY)[:, None], weight.shape[:2])
        if not self.depthwise:
            is_empty = is_empty | (reads == EMPTY)
        filler = zero_point.reshape(-1, *[1] * (weight.ndim - 1))
        weight = np.where(is_empty.reshape(*is_empty.shape, *[1] * (weight.ndim - 2)), filler, weight)
        self._replace(3, weight, names)
        if self.scale.size > 1:
            self._replace(4, self.scale[out], names)
        if self.zero_point.size > 1:
            self._replace(5, zero_point, names)
        if self.bias is not None:
            self._replace(8, np.where(makes == EMPTY, 0, self.bias[out]).astype(np.int32), names)
        if self.depthwise:
            self.node.attributes["group"] = ir.AttrInt64("group", len(makes))

    def _replace(self, index: int, array: np.ndarray, names: Names) -> None:
        old, graph = self.node.inputs[index], self.node.graph
        assert old is not None and isinstance(graph, ir.Graph)
        new = names.initializer(graph, f"{old.name}_arranged", np.ascontiguousarray(array))
        self.node.replace_input_with(index, new)


def integer_conv(node: ir.Node) -> IntegerConv | None:
    """The node as a convolution whose channels can be rearranged; None if it is none."""
    if not is_op(node, "QLinearConv") or node.inputs[0] is None:
        return None
    bias_input = node.inputs[8] if len(node.inputs) > 8 else None
    weight, scale, zero_point = (constant(value) for value in node.inputs[3:6])
    bias = constant(bias_input)
    if weight is None or scale is None or zero_point is None or (bias is None) != (bias_input is None):
        return None
    group = int(attribute(node, "group", 1))
    if group > 1 and not (weight.shape[1] == 1 and len(weight) == group):
        return None
    return IntegerConv(node, weight, scale, zero_point, bias)
