"""Conv, ConvTranspose, Gemm and MatMul seen alike: each channel can be scaled and shifted in the weights."""

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
    def input_channels(self) -> int:
        """Number of input channels."""
        rows, columns = self.weight.shape[:2]
        if self.node.op_type == "Conv":
            return int(columns * attribute(self.node, "group", 1))
        return int(columns if attribute(self.node, "transB", 0) else rows)

    @property
    def axis(self) -> int:
        """Axis of the channels in input and output."""
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
        with np.errstate(over="ignore", invalid="ignore"):
            weight = None if scale is None else self.weight * self.along_outputs(scale)
            bias = self.bias * (1 if scale is None else scale) + (0 if shift is None else shift)
        return self._write(weight, bias, shift is not None, names)

    def per_input_channel(self, array: np.ndarray) -> np.ndarray | None:
        """As `per_channel`, for an array that is broadcast onto the input: shape (input channels,)."""
        return _per_channel(array, self.rank, self.axis, self.input_channels)

    def fold_input(self, scale: np.ndarray | None, shift: np.ndarray | None, names: Names) -> Outcome:
        """Make the node take `scale * input + shift`, both float64 of shape (input channels,); None leaves that out.

        Padding lies outside of that: where the node pads, nothing can be shifted.
        """
        node = self.node
        shifts = shift is not None and bool(shift.any())
        if attribute(node, "transA", 0):
            return "the input of the Gemm is transposed"
        if shifts and (node.op_type == "ConvTranspose" or _pads(node)):
            return f"what the {node.op_type} pads with would be shifted too"
        bias, weight = self.bias, None
        with np.errstate(over="ignore", invalid="ignore"):
            if shift is not None and shifts:
                response = (self.weight * self.along_inputs(shift)).sum(axis=self._summed_axes)
                bias = bias + attribute(node, "alpha", 1.0) * response
            if scale is not None:
                weight = self.weight * self.along_inputs(scale)
        return self._write(weight, bias, shifts, names)

    def _write(self, weight: np.ndarray | None, bias: np.ndarray, adds_bias: bool, names: Names) -> Outcome:
        """Give the node a weight (None: the one that it has) and a bias."""
        node, dtype = self.node, self.weight.dtype
        has_bias = adds_bias or _bias_input(node) is not None
        if node.op_type == "MatMul" and has_bias and self.rank != 2:
            return f"a MatMul of rank {self.rank} has no bias"
        with np.errstate(over="ignore", invalid="ignore"):
            weight, bias = None if weight is None else weight.astype(dtype), bias.astype(dtype)
        if not np.isfinite(self.weight if weight is None else weight).all() or not np.isfinite(bias).all():
            return "the folded weights would not be finite"
        base = _base(node.inputs[1])
        if weight is not None:
            self._set(1, weight, base, names)
        if has_bias:
            self._set(2, bias, _base(_bias_input(node)) or f"{base}_bias", names)
            node.attributes.pop("beta", None)
            node.op_type = "Gemm" if node.op_type == "MatMul" else node.op_type
        return True

    def along_outputs(self, scale: np.ndarray) -> np.ndarray:
        """One number per output channel, in a form that broadcasts onto the weight."""
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

    def along_inputs(self, per_channel: np.ndarray) -> np.ndarray:
        """One number per input channel, in a form that broadcasts onto the weight."""
        spatial = (1,) * (self.weight.ndim - 2)
        match self.node.op_type:
            case "Conv":  # weight is (out, in / group, ...): the rows of a group read that group's inputs
                group = attribute(self.node, "group", 1)
                rows = np.repeat(per_channel.reshape(group, -1), len(self.weight) // group, axis=0)
                return rows.reshape(*rows.shape, *spatial)
            case "Gemm" if attribute(self.node, "transB", 0):
                return per_channel
        return per_channel.reshape(-1, 1, *spatial)

    @property
    def _summed_axes(self) -> tuple[int, ...]:
        """Axes of the weight other than that of the output channels."""
        is_transposed = self.node.op_type == "Conv" or attribute(self.node, "transB", 0)
        return tuple(range(1, self.weight.ndim)) if is_transposed else (0,)

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


def _pads(node: ir.Node) -> bool:
    """Whether the op puts zeros around its input, or may."""
    return any(attribute(node, "pads", ())) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID")


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
