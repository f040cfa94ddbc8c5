"""First convolutions of images, on groups of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant, declare, is_op, nodes, remove_dead
from qcompile.passes.lower.expansion import Expansion
from qcompile.passes.lower.integers import emit, plain_attributes
from qcompile.passes.lower.pixel_groups import GROUP, PixelGroups
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Code, Reason

_MOST_FILTERS = 256
"""Filters times channels up to which it pays: it saves copying patches and adds multiplications with zero, which grow
with the filters. Measured with AVX512-VNNI, kernels of 1 to 11, strides 1, 2, 4: 1 channel with 8 filters 1.6 to 3.4
times faster, with 256 1.2; 3 channels with 24 1.6, with 64 1.0 to 1.5, with 96 0.97 to 1.2, with 128 0.9 to 1.4."""

_NHWC, _NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
_WIDTH = 2
"""Its axis in NHWC."""


@dataclass(frozen=True)
class FoldStem(Substitute):
    """Let a convolution of 1 to 3 channels see four pixels as the channels of one.

    Before: `y = QLinearConv(x, ...)` with x of [N,C,H,W], y of [N,M,H',W']
    After:  `t = Transpose(x)  p = Pad(t)  g = Reshape(p)` of [N,H,W/4,4C], `c = com.microsoft.QLinearConv(g, ...)` of
            [N,H',W'/R,RM], `u = Reshape(c)` of [N,H',W',M], `s = Slice(u)  y = Transpose(s)`

    A group of inputs gives R = 4/stride outputs. Only where the stride along the width is 1, 2 or 4 and few filters
    make it pay. In channels-last memory the Reshapes are free and the runtime cancels the last Transpose; the first is
    not needed where x itself comes from one. Pad and Slice are there where W is no multiple of 4 or W' none of R; how
    far they go is computed at run time where W is symbolic. Exact: the weights and pixels that are added are zero.
    """

    name: ClassVar[str] = "fold-stem"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Fold every such convolution."""
        names = Names(model)
        changes, declined = 0, []
        for node in list(nodes(model)):
            stem = _stem(node)
            if isinstance(stem, str):
                declined.append((node.name or "", Reason(Code.RULE_DECLINED, stem)))
            elif stem is not None:
                _Folding(node, stem, names).write()
                changes += 1
        if changes:
            remove_dead(model)
            declare(model)
        return PassResult(changes, tuple(declined))


def _stem(node: ir.Node) -> PixelGroups | str | None:
    """What there is to fold; or why it cannot be, or None if it is no first convolution."""
    if not is_op(node, "QLinearConv") or attribute(node, "group", 1) != 1:
        return None
    weight, zero_point, x = constant(node.inputs[3]), constant(node.inputs[5]), node.inputs[0]
    if weight is None or zero_point is None or weight.ndim != 4 or weight.shape[1] >= GROUP or x is None:
        return None
    if zero_point.any():
        return "its weights have a zero point"
    if attribute(node, "auto_pad", "NOTSET") != "NOTSET" or attribute(node, "dilations", (1, 1))[1] != 1:
        return "auto_pad or dilation"
    if weight.shape[0] * weight.shape[1] > _MOST_FILTERS:
        return f"{weight.shape[0]} filters, so many that it costs more than it saves"
    stride, pads = attribute(node, "strides", (1, 1))[1], attribute(node, "pads", (0, 0, 0, 0))
    if GROUP % stride:
        return f"stride {stride}"
    return PixelGroups(weight.shape[3], stride, pads[1], pads[3])


@dataclass(frozen=True)
class _Folding:
    """The nodes that take the place of one convolution."""

    node: ir.Node
    stem: PixelGroups
    names: Names

    def write(self) -> None:
        """Put them in."""
        node, stem, x, y = self.node, self.stem, self.node.inputs[0], self.node.outputs[0]
        assert x is not None
        (batch, _, height, width), rows = x.shape or (None,) * 4, (y.shape or (None,) * 4)[2]
        filters, channels = self._weight.shape[:2]
        pixels = _channels_last(x) or self._add("Transpose", [x], [batch, height, width, channels], {"perm": _NHWC})
        padded, groups, across = self._in_groups(pixels, width if isinstance(width, int) else None)
        made = None if groups is None else groups + stem.more
        inputs = self._inputs(self._view(padded, [batch, height, groups, GROUP * channels]))
        shape = [batch, rows, made, stem.pixels * filters]
        folded = self._add("QLinearConv", inputs, shape, self._attributes(), domain=CONTRIB, name=node.name)
        in_pixels = None if made is None else made * stem.pixels
        result = self._view(folded, [batch, rows, in_pixels, filters])
        if in_pixels is None or across != in_pixels:
            result = self._cut(result, across, [batch, rows, across if isinstance(across, int) else None, filters])
        last = self.names.node(f"{node.name}_channels_first")
        emit(node, y, "Transpose", [result], {"perm": _NCHW}, domain="", name=last)
        self._graph.remove(node, safe=True)

    @property
    def _graph(self) -> ir.Graph:
        assert isinstance(self.node.graph, ir.Graph)
        return self.node.graph

    @property
    def _weight(self) -> np.ndarray:
        weight = constant(self.node.inputs[3])
        assert weight is not None
        return weight

    def _in_groups(self, pixels: ir.Value, width: int | None) -> tuple[ir.Value, int | None, ir.Value | int]:
        """The pixels padded to whole groups, how many these are, and how wide the output is to be."""
        batch, height, _, channels = pixels.shape or (None,) * 4
        if width is None:
            lack, across = self._computed(pixels)
            return self._padded(pixels, lack, [batch, height, None, channels]), None, across
        lacking, groups = -width % GROUP, -(-width // GROUP)
        if lacking:
            lack = self._numbers("lack", lacking)
            pixels = self._padded(pixels, lack, [batch, height, groups * GROUP, channels])
        return pixels, groups, self.stem.out_width(width)

    def _computed(self, pixels: ir.Value) -> tuple[ir.Value, ir.Value]:
        """By how many pixels the input is short of whole groups, and the width of the output, at run time."""
        width = self._integer("Shape", [pixels], {"start": _WIDTH, "end": _WIDTH + 1})
        less_than_none = self._integer("Mul", [width, self._numbers("minus", GROUP - 1)])  # as -width, modulo GROUP
        lack = self._integer("Mod", [less_than_none, self._numbers("group", GROUP)])
        stride = self.stem.stride
        across = self._integer("Add", [width, self._numbers("excess", self.stem.excess + stride)])
        return lack, across if stride == 1 else self._integer("Div", [across, self._numbers("stride", stride)])

    def _padded(self, pixels: ir.Value, lack: ir.Value, shape: Sequence[Any]) -> ir.Value:
        """With pixels that stand for zero on the right."""
        zero_point = constant(self.node.inputs[2])
        assert zero_point is not None
        sides = self._integer("Concat", [self._numbers("before", 0), lack], {"axis": 0}, 2)
        zero = self.names.initializer(self._graph, f"{self.node.name}_zero", zero_point.reshape(()))
        return self._add("Pad", [pixels, sides, zero, self._numbers("axis", _WIDTH)], shape)

    def _cut(self, result: ir.Value, across: ir.Value | int, shape: Sequence[Any]) -> ir.Value:
        """Without the outputs that nobody asked for."""
        end = self._numbers("across", across) if isinstance(across, int) else across
        return self._add("Slice", [result, self._numbers("begin", 0), end, self._numbers("axis", _WIDTH)], shape)

    def _inputs(self, grouped: ir.Value) -> list[ir.Value | None]:
        _, x_scale, x_zero, _, w_scale, w_zero, *rest = self.node.inputs
        y, bias = rest[:2], map(self._tiled, rest[2:])
        return [grouped, x_scale, x_zero, self._folded_weight(), self._tiled(w_scale), self._tiled(w_zero), *y, *bias]

    def _folded_weight(self) -> ir.Value:
        """[R * M, GROUP * C, kernel height, groups]: every output of a group has its taps where its pixels are."""
        filters, channels, height, width = self._weight.shape
        stem, groups, weight = self.stem, len(self.stem.groups), self.node.inputs[3]
        assert weight is not None
        write = Expansion(self.node, self.names)
        row, outputs = GROUP * groups, stem.pixels * filters
        # a copy for each output, each longer than a row by the stride: so cut into rows, each begins that much later
        longer = write.padded(weight, 3, stem.taps_before, row + stem.stride - stem.taps_before - width)
        flat = write.cut(write.tiled(longer, 3, stem.pixels), 3, stem.pixels * row)
        rows = write.viewed(flat, [filters, channels, height, stem.pixels, groups, GROUP])
        return write.viewed(write.transposed(rows, (3, 0, 5, 1, 2, 4)), [outputs, GROUP * channels, height, groups])

    def _tiled(self, value: ir.Value | None) -> ir.Value | None:
        """One number for each filter becomes one for each output of a group."""
        numbers, filters = constant(value), self._weight.shape[0]
        if value is None or numbers is None or numbers.shape != (filters,):
            return value
        return self.names.initializer(self._graph, f"{value.name}_folded", np.tile(numbers, self.stem.pixels))

    def _attributes(self) -> dict[str, Any]:
        top, _, bottom, _ = attribute(self.node, "pads", (0, 0, 0, 0))
        left, right = self.stem.pads
        return plain_attributes(self.node) | {
            "kernel_shape": (self._weight.shape[2], len(self.stem.groups)),
            "strides": (attribute(self.node, "strides", (1, 1))[0], 1),
            "pads": (top, left, bottom, right),
            "channels_last": 1,
        }

    def _view(self, value: ir.Value, shape: Sequence[Any]) -> ir.Value:
        """The value with its last axes in another shape; all but the channels may be symbolic."""
        return self._add("Reshape", [value, self._numbers("shape", 0, 0, -1, shape[-1])], shape)

    def _numbers(self, wish: str, *numbers: int) -> ir.Value:
        return self.names.initializer(self._graph, f"{self.node.name}_{wish}", np.array(numbers, np.int64))

    def _integer(
        self, op_type: str, inputs: Sequence[ir.Value], attributes: dict[str, Any] | None = None, length: int = 1
    ) -> ir.Value:
        """Arithmetic on sizes."""
        return self._add(op_type, inputs, [length], attributes, dtype=ir.DataType.INT64)

    def _add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shape: Sequence[Any],
        attributes: dict[str, Any] | None = None,
        *,
        domain: str = "",
        name: str | None = None,
        dtype: ir.DataType | None = None,
    ) -> ir.Value:
        wish = f"{self.node.name}_{op_type}"
        type_ = self.node.outputs[0].type if dtype is None else ir.TensorType(dtype)
        output = ir.Value(name=self.names.value(wish), type=type_, shape=ir.Shape(shape))
        name = name or self.names.node(wish)
        made = ir.node(op_type, list(inputs), attributes or {}, domain=domain, outputs=[output], name=name)
        self._graph.insert_before(self.node, made)
        return output


def _channels_last(x: ir.Value) -> ir.Value | None:
    """A value with the elements of x in the order batch, height, width, channels; None if there is none."""
    transpose = x.producer()
    if transpose is not None and is_op(transpose, "Transpose") and tuple(attribute(transpose, "perm", ())) == _NCHW:
        return transpose.inputs[0]
    return None
