"""Zeros around an image are something that convolutions and pools can do themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, rank, scalar_constant, sole_consumer
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves


class FoldPad(NodePass):
    """Fold a Pad of spatial axes into the pads of the Conv, MaxPool or AveragePool that alone reads it.

    ```
    y = Pad(x, [0,0,1,1,0,0,1,1])           =>  z = Conv <pads = [1, 1, 1, 1]> (x, w)
    z = Conv <pads = [0, 0, 0, 0]> (y, w)
    ```
    1. Conv: padding with zeros.
    2. MaxPool: padding with -infinity; with zeros where x cannot be negative (behind a Relu, Clip or Sigmoid).
    3. AveragePool that counts what it pads (or does not pad): padding with zeros, which are counted afterwards.

    It stays when it pads with something else, cuts (negative pads), pads batch or channels, its numbers are computed,
    or others read it; and before a pool that rounds its size up, is dilated, gives indices, or would have as much
    padding as its kernel. Runs after explicit-pads. Preserves: exact.
    """

    name = "fold-pad"
    preserves = Preserves.EXACT
    ops = ("Pad",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Fold one Pad."""
        reader = sole_consumer(node.outputs[0])
        if reader is None or not is_op(reader, *_TAKES) or reader.inputs[0] is not node.outputs[0]:
            return False
        spatial = _spatial_pads(node)
        if isinstance(spatial, str):
            return spatial
        own = attribute(reader, "pads")
        if own is None or attribute(reader, "auto_pad", "NOTSET") != "NOTSET":
            return f"the pads of the {reader.op_type} behind it are not numbers"
        total = [outer + inner for outer, inner in zip(spatial, own, strict=True)]
        obstacle = _TAKES[reader.op_type](node, reader, total)
        if obstacle:
            return obstacle
        if is_op(reader, "AveragePool"):
            reader.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
        reader.attributes["pads"] = ir.AttrInt64s("pads", total)
        reader.replace_input_with(0, node.inputs[0])
        return True


def _spatial_pads(node: ir.Node) -> list[int] | str:
    """Pads of the axes behind batch and channels, all that begin before all that end; or why they are not that."""
    dimensions = rank(node.inputs[0])
    given, axes = constant(node.inputs[1]), (*node.inputs, None, None)[3]
    listed = None if axes is None else constant(axes)
    if given is None or dimensions is None or (axes is not None and listed is None):
        return "its pads or the rank of its input are unknown"
    if attribute(node, "mode", "constant") != "constant":
        return f"it pads by {attribute(node, 'mode')}"
    full = np.zeros((2, dimensions), np.int64)
    full[:, slice(None) if listed is None else listed] = given.reshape(2, -1)
    if full.min() < 0:
        return "it cuts"
    return "it pads batch or channels" if full[:, :2].any() else [int(size) for size in full[:, 2:].reshape(-1)]


def _fill(node: ir.Node) -> float | None:
    """The number that it pads with; None if that is computed."""
    value = node.inputs[2] if len(node.inputs) > 2 else None
    return 0.0 if value is None else scalar_constant(value)


def _conv(node: ir.Node, reader: ir.Node, pads: Sequence[int]) -> str:
    return "" if _fill(node) == 0 else "it does not pad with zeros"


def _max_pool(node: ir.Node, reader: ir.Node, pads: Sequence[int]) -> str:
    fill = _fill(node)
    if fill == -math.inf or (fill == 0 and _is_never_negative(node.inputs[0])):
        return _pool(reader, pads)
    return "the MaxPool pads with -infinity, and its input may be negative"


def _average_pool(node: ir.Node, reader: ir.Node, pads: Sequence[int]) -> str:
    if any(attribute(reader, "pads")) and not attribute(reader, "count_include_pad", 0):
        return "the AveragePool does not count what it pads itself"
    return _conv(node, reader, pads) or _pool(reader, pads)


def _pool(reader: ir.Node, pads: Sequence[int]) -> str:
    """Why a pool cannot have these pads, if so: onnxruntime wants them below the kernel's size."""
    kernel = attribute(reader, "kernel_shape")
    if attribute(reader, "ceil_mode", 0) or any(step != 1 for step in attribute(reader, "dilations", ())):
        return f"the {reader.op_type} is dilated or rounds its size up"
    if any(output.uses() or output.is_graph_output() for output in reader.outputs[1:]):
        return f"the {reader.op_type} gives indices"
    too_large = any(pad >= size for pad, size in zip(pads, [*kernel, *kernel], strict=True))
    return f"it pads as much as the kernel of the {reader.op_type}" if too_large else ""


def _is_never_negative(value: ir.Value | None) -> bool:
    producer = None if value is None else value.producer()
    if producer is None or is_op(producer, "Relu", "Sigmoid"):
        return producer is not None
    low = scalar_constant(producer.inputs[1]) if is_op(producer, "Clip") and len(producer.inputs) > 1 else None
    return low is not None and low >= 0


_TAKES = {"Conv": _conv, "MaxPool": _max_pool, "AveragePool": _average_pool}
"""By op: why it cannot take a Pad, given the pads that it would have; empty if it can."""
