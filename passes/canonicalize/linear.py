"""Conv, ConvTranspose, Gemm and MatMul seen alike: each output channel can be scaled and shifted in the weights."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, rank, sole_consumer
from qcompile.passes.canonicalize.node_pass import Outcome

LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Linear:
    """A linear node with constant weight, `rank` being that of its output.

    `weight` is as the node stores it, in its own dtype; `bias` is float64 of shape (channels,), zeros if absent.
    """

    node: ir.Node
    weight: np.ndarray
    bias: np.ndarray
    rank: int

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return _channels(self.node, self.weight)

    @property
    def axis(self) -> int:
        """Axis of the output channels in the output."""
        return self.rank - 1 if self.node.op_type == "MatMul" else 1

    def per_channel(self, array: np.ndarray) -> np.ndarray | None:
        """An array that is broadcast onto the output, as float64 of shape (channels,).

        None where it varies along another axis or would enlarge the output.
        """
        return _per_channel(array, self.rank, self.axis, self.channels)

    def fold(self, scale: np.ndarray | None, shift: np.ndarray | None, names: Names) -> Outcome:
        """Make the node give `scale * output + shift`, both float64 of shape (channels,); None leaves that part out.

        Arithmetic is float64, the result has the weight's dtype. New weights get new names, so that other readers of
        the old ones are not touched. A MatMul of rank 2 that is shifted becomes a Gemm.
        """
        node = self.node
        has_bias = shift is not None or _bias_input(node) is not None
        if node.op_type == "MatMul" and has_bias and self.rank != 2:
            return f"a MatMul of rank {self.rank} has no bias"
        weight, bias = self.weight, self.bias
        with np.errstate(over="ignore", invalid="ignore"):
            if scale is not None:
                weight = (weight.astype(np.float64) * self._along_weight(scale)).astype(weight.dtype)
                bias = bias * scale
            bias = (bias if shift is None else bias + shift).astype(weight.dtype)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            return "the folded weights would not be finite"
        base = _base(node.inputs[1])
        if scale is not None:
            self._set(1, weight, base, names)
        if has_bias:
            self._set(2, bias, _base(_bias_input(node)) or f"{base}_bias", names)
            node.attributes.pop("beta", None)
            node.op_type = "Gemm" if node.op_type == "MatMul" else node.op_type
        return True

    def _along_weight(self, scale: np.ndarray) -> np.ndarray:
        """The scale in a form that broadcasts onto the weight."""
        spatial = (1,) * (self.weight.ndim - 2)
        match self.node.op_type:
            case "Conv":
                return scale.reshape(-1, 1, *spatial)
            case "ConvTranspose":  # weight is (in, out / group, ...): the rows of a group hold that group's outputs
                group = attribute(self.node, "group", 1)
                rows = np.repeat(scale.reshape(group, -1), len(self.weight) // group, axis=0)
                return rows.reshape(*rows.shape, *spatial)
            case "Gemm" if attribute(self.node, "transB", 0):
                return scale.reshape(-1, 1)
        return scale

    def _set(self, index: int, array: np.ndarray, base: str, names: Names) -> None:
        node = self.node
        assert node.graph is not None
        if len(node.inputs) <= index:
            node.resize_inputs(index + 1)
        node.replace_input_with(index, names.initializer(node.graph, f"{base}_folded", array))


def linear_before(value: ir.Value | None) -> Linear | Outcome:
    """The linear node that makes the value; text why it may not be changed; False if there is none."""
    node = None if value is None else value.producer()
    if value is None or node is None or not is_op(node, *LINEAR):
        return False
    if sole_consumer(value) is None:
        return f"{node.op_type} output {value.name!r} is also read elsewhere"
    return as_linear(node)


def as_linear(node: ir.Node) -> Linear | str:
    """The node as Linear, or why it cannot be seen so."""
    weight, bias = constant(node.inputs[1]), _bias_input(node)
    bias_array = constant(bias)
    if weight is None or (bias is not None and bias_array is None):
        return f"weight or bias of {node.op_type} is not constant"
    if not ir.DataType.from_numpy(weight.dtype).is_floating_point():
        return f"{node.op_type} does not compute on floats"
    if node.op_type == "MatMul" and (weight.ndim != 2 or not rank(node.inputs[0])):
        return "the MatMul's weight is no matrix, or the rank of its input is unknown"
    output_rank = (rank(node.inputs[0]) or 0) if node.op_type == "MatMul" else weight.ndim
    channels = _channels(node, weight)
    if bias_array is None:
        return Linear(node, weight, np.zeros(channels), output_rank)
    vector = _per_channel(bias_array, output_rank, output_rank - 1, channels) if node.op_type == "Gemm" else bias_array
    if vector is None:
        return "the bias of the Gemm differs from row to row"
    return Linear(node, weight, vector.astype(np.float64) * attribute(node, "beta", 1.0), output_rank)


def _bias_input(node: ir.Node) -> ir.Value | None:
    return node.inputs[2] if len(node.inputs) > 2 else None


def _channels(node: ir.Node, weight: np.ndarray) -> int:
    rows, columns = weight.shape[:2]
    match node.op_type:
        case "ConvTranspose":
            return int(columns * attribute(node, "group", 1))
        case "Conv":
            return int(rows)
        case "Gemm" if attribute(node, "transB", 0):
            return int(rows)
    return int(columns)


def _per_channel(array: np.ndarray, rank: int, axis: int, channels: int) -> np.ndarray | None:
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    if shape[axis] not in (1, channels) or array.size != shape[axis]:
        return None
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (channels,))


def _base(value: ir.Value | None) -> str:
    """The name without the mark of an earlier fold."""
    return "" if value is None else re.sub(r"_folded(_\d+)?$", "", value.name or "")
