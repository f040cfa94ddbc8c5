"""Transposed convolution on integers, as a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant
from qcompile.passes.canonicalize.replacing import insert
from qcompile.passes.lower.integers import (
    Lowering,
    Quantized,
    accumulator_bias,
    dequantized,
    emit,
    plain_attributes,
    requantized,
)
from qcompile.quant import SubPixel, sub_pixel
from qcompile.targets.table import NodeFacts
from qcompile.targets.windows import cut_by_pads, spreads_square_blocks

_TO_THE_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class FuseConvTranspose(Lowering):
    """Fuse a quantized ConvTranspose into a QLinearConv that makes every block of its output as channels.

    Before: `y_q = Q(ConvTranspose <strides = [2, 2]> (DQ(x_q), DQ(w_q), DQ(b_q)), sy, zy)` with a 2 x 2 kernel
    After:  `p = QLinearConv(x_q, sx, zx, w_phases, sw, zw, sy, zy, b_phases)  y_q = DepthToSpace <blocksize = 2> (p)`

    With a larger kernel the convolution pads, and a Slice cuts off what the ConvTranspose does. Relu and Clip go where
    the saturation of y implies them. Only for images, one group, no dilation and one stride for both axes. Exact: the
    same products, summed in int32. Float convolutions of this form were measured to be slower than ConvTranspose.
    """

    name: ClassVar[str] = "fuse-conv-transpose"
    ops: ClassVar[tuple[str, ...]] = ("ConvTranspose",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one transposed convolution."""
        x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
        if x is None or w is None:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        bias = accumulator_bias(node, x, w)
        if isinstance(bias, str):
            return bias
        phases = _phases(node, w)
        if isinstance(phases, str):
            return phases
        quantize, result = y
        inputs = [*x.triple, *_repeated(node, w, phases, names), result.scale, result.zero_point]
        if bias is not None:
            inputs.append(_tiled(node, bias, phases.stride**2, names))
        window = {"kernel_shape": phases.weight.shape[2:], "pads": phases.pads}
        if phases.stride == 1:
            emit(node, quantize.outputs[0], "QLinearConv", inputs, window, domain="")
        else:
            conv = insert(node, "QLinearConv", inputs, names, window)
            _spread(node, conv, phases, quantize.outputs[0], names)
        return True


def _phases(node: ir.Node, w: Quantized) -> SubPixel | str:
    """The convolution in codes, or why there is none."""
    codes, attributes = constant(w.value), plain_attributes(node)
    facts = NodeFacts(node.op_type, attributes, (None, None if codes is None else codes.shape), frozenset({1}))
    if codes is None or not spreads_square_blocks(facts):
        return "not 2-d, grouped, dilated, or strides that differ"
    if not cut_by_pads(facts):
        return "its pads are no numbers below its kernel's size"
    stride, pads = attributes.get("strides", (1, 1))[0], attributes.get("pads", (0, 0, 0, 0))
    return sub_pixel(codes, stride, pads, attributes.get("output_padding", (0, 0)))


def _repeated(node: ir.Node, w: Quantized, phases: SubPixel, names: Names) -> list[ir.Value]:
    """Weight, scale and zero point of the convolution: those of the channels, for every phase."""
    assert isinstance(node.graph, ir.Graph)
    weight = names.initializer(node.graph, f"{w.value.name}_phases", phases.weight)
    return [weight, *(_tiled(node, value, phases.stride**2, names) for value in (w.scale, w.zero_point))]


def _tiled(node: ir.Node, value: ir.Value, times: int, names: Names) -> ir.Value:
    """A constant per channel, for every phase; one number for all channels stays as it is."""
    array = constant(value)
    assert array is not None and isinstance(node.graph, ir.Graph)
    return names.initializer(node.graph, f"{value.name}_phases", np.tile(array, times)) if array.ndim else value


def _spread(node: ir.Node, conv: ir.Value, phases: SubPixel, result: ir.Value, names: Names) -> None:
    """Spread the phases, cut what is too much, and give that out in the place of `result`."""
    graph, last = node.graph, conv.producer()
    assert isinstance(graph, ir.Graph) and last is not None
    last.name = node.name  # the product; what follows only moves its codes
    bounds = {
        "starts": np.array(phases.cut[:2], np.int64),
        "ends": np.array([-size if size else _TO_THE_END for size in phases.cut[2:]], np.int64),
        "axes": np.array([2, 3], np.int64),
    }
    blocks = {"blocksize": phases.stride}
    if not any(phases.cut):
        emit(node, result, "DepthToSpace", [conv], blocks, domain="", name=names.node(f"{node.name}_DepthToSpace"))
        return
    spread = insert(node, "DepthToSpace", [conv], names, blocks, shape=_uncut(result, phases))
    limits = [names.initializer(graph, f"{node.name}_{name}", array) for name, array in bounds.items()]
    emit(node, result, "Slice", [spread, *limits], domain="", name=names.node(f"{node.name}_Slice"))


def _uncut(result: ir.Value, phases: SubPixel) -> list[int | ir.SymbolicDim] | None:
    """Shape of all blocks."""
    if result.shape is None:
        return None
    around = [front + end for front, end in zip(phases.cut[:2], phases.cut[2:], strict=True)]
    sizes = [
        size + more if isinstance(size, int) else ir.SymbolicDim(None)
        for size, more in zip(result.shape[2:], around, strict=True)
    ]
    return [*result.shape[:2], *sizes]
