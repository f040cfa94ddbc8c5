"""First convolutions of images, on groups of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant, declare, is_op, nodes, remove_dead
from qcompile.passes.lower.integers import emit, plain_attributes
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Code, Reason

_GROUP = 4
"""Pixels in a group: the fewest that make a multiple of 4 channels of 1, 2 or 3, as the runtime's kernel asks for."""

_MOST_FILTERS = 256
"""Filters times channels up to which it pays: it saves copying patches and adds multiplications with zero, which grow
with the filters. Measured with AVX512-VNNI, kernels of 1 to 11, strides 1, 2, 4: 1 channel with 8 filters 1.6 to 3.4
times faster, with 256 1.2; 3 channels with 24 1.6, with 64 1.0 to 1.5, with 96 0.97 to 1.2, with 128 0.9 to 1.4."""

_NHWC, _NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True)
class FoldStem(Substitute):
    """Let a convolution of 1 to 3 channels see four pixels as the channels of one.

    Before: `y = QLinearConv(x, ...)` with x of [N,C,H,W], y of [N,M,H',W']
    After:  `t = Transpose(x)  g = Reshape(t)` of [N,H,W/4,4C], `c = com.microsoft.QLinearConv(g, ...)` of
            [N,H',W'/R,RM], `u = Reshape(c)` of [N,H',W',M], `y = Transpose(u)`

    A group of inputs gives R = 4/stride outputs. Only where W is a known multiple of 4, the stride along it 1, 2 or 4,
    W' a multiple of R, and few filters make it pay. In channels-last memory the Reshapes are free and the runtime
    cancels the last Transpose; the first is not needed where x itself comes from one. Exact: the weights that are
    added are zero.
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


@dataclass(frozen=True)
class _Stem:
    """A convolution, as seen along the width."""

    weight: np.ndarray
    """[M, C, kernel height, kernel width]."""
    width: int
    stride: int
    begin: int
    """Pixels that it pads on the left."""
    end: int

    @property
    def pixels(self) -> int:
        """Outputs that one group of inputs gives."""
        return _GROUP // self.stride

    @property
    def out_width(self) -> int:
        """Width of its output."""
        covered: int = self.width + self.begin + self.end - self.weight.shape[3]
        return covered // self.stride + 1

    @property
    def groups(self) -> range:
        """The groups that the outputs of group 0 read."""
        last = self.stride * (self.pixels - 1) - self.begin + self.weight.shape[3] - 1
        return range(-self.begin // _GROUP, last // _GROUP + 1)

    @property
    def group_pads(self) -> tuple[int, int]:
        """Groups to pad on the left and on the right."""
        before = -self.groups[0]
        return before, self.out_width // self.pixels - 1 + len(self.groups) - self.width // _GROUP - before

    def folded_weight(self) -> np.ndarray:
        """[R * M, 4 * C, kernel height, groups]: every output of a group has its taps where its pixels are."""
        filters, channels, height, width = self.weight.shape
        folded = np.zeros((self.pixels, filters, _GROUP, channels, height, len(self.groups)), self.weight.dtype)
        for pixel in range(self.pixels):
            for tap in range(width):
                group, place = divmod(self.stride * pixel - self.begin + tap, _GROUP)
                folded[pixel, :, place, :, :, group - self.groups[0]] = self.weight[..., tap]
        return folded.reshape(self.pixels * filters, _GROUP * channels, height, len(self.groups))


def _stem(node: ir.Node) -> _Stem | str | None:
    """What there is to fold; or why it cannot be, or None if it is no first convolution."""
    if not is_op(node, "QLinearConv") or attribute(node, "group", 1) != 1:
        return None
    weight, zero_point, x = constant(node.inputs[3]), constant(node.inputs[5]), node.inputs[0]
    if weight is None or zero_point is None or weight.ndim != 4 or weight.shape[1] >= _GROUP:
        return None
    if zero_point.any():
        return "its weights have a zero point"
    if attribute(node, "auto_pad", "NOTSET") != "NOTSET" or attribute(node, "dilations", (1, 1))[1] != 1:
        return "auto_pad or dilation"
    if weight.shape[0] * weight.shape[1] > _MOST_FILTERS:
        return f"{weight.shape[0]} filters, so many that it costs more than it saves"
    width = x.shape[3] if x is not None and x.shape is not None else None
    if not isinstance(width, int) or width % _GROUP:
        return f"the width is no known multiple of {_GROUP}"
    stride, pads = attribute(node, "strides", (1, 1))[1], attribute(node, "pads", (0, 0, 0, 0))
    if _GROUP % stride:
        return f"stride {stride}"
    stem = _Stem(weight, width, stride, pads[1], pads[3])
    if stem.out_width % stem.pixels:
        return f"the output's width is no multiple of {stem.pixels}"
    return stem


@dataclass(frozen=True)
class _Folding:
    """The nodes that take the place of one convolution."""

    node: ir.Node
    stem: _Stem
    names: Names

    def write(self) -> None:
        """Put them in."""
        node, stem, y = self.node, self.stem, self.node.outputs[0]
        batch, _, rows, _ = y.shape or (None,) * 4
        filters = stem.weight.shape[0]
        inputs, shape = self._inputs(), [batch, rows, stem.out_width // stem.pixels, stem.pixels * filters]
        folded = self._add("QLinearConv", inputs, shape, self._attributes(), domain=CONTRIB, name=node.name)
        result = self._view(folded, [batch, rows, stem.out_width, filters])
        last = self.names.node(f"{node.name}_channels_first")
        emit(node, y, "Transpose", [result], {"perm": _NCHW}, domain="", name=last)
        self._graph.remove(node, safe=True)

    @property
    def _graph(self) -> ir.Graph:
        assert isinstance(self.node.graph, ir.Graph)
        return self.node.graph

    def _inputs(self) -> list[ir.Value | None]:
        _, x_scale, x_zero, _, w_scale, w_zero, *rest = self.node.inputs
        weight = self.names.initializer(self._graph, f"{self.node.name}_folded", self.stem.folded_weight())
        y, bias = rest[:2], map(self._tiled, rest[2:])
        return [self._grouped(), x_scale, x_zero, weight, self._tiled(w_scale), self._tiled(w_zero), *y, *bias]

    def _grouped(self) -> ir.Value:
        x, stem = self.node.inputs[0], self.stem
        assert x is not None and x.shape is not None
        (batch, _, rows, _), channels = x.shape, stem.weight.shape[1]
        pixels = _channels_last(x) or self._add("Transpose", [x], [batch, rows, stem.width, channels], {"perm": _NHWC})
        return self._view(pixels, [batch, rows, stem.width // _GROUP, _GROUP * channels])

    def _tiled(self, value: ir.Value | None) -> ir.Value | None:
        """One number for each filter becomes one for each output of a group."""
        numbers, filters = constant(value), self.stem.weight.shape[0]
        if value is None or numbers is None or numbers.shape != (filters,):
            return value
        return self.names.initializer(self._graph, f"{value.name}_folded", np.tile(numbers, self.stem.pixels))

    def _attributes(self) -> dict[str, Any]:
        top, _, bottom, _ = attribute(self.node, "pads", (0, 0, 0, 0))
        left, right = self.stem.group_pads
        return plain_attributes(self.node) | {
            "kernel_shape": (self.stem.weight.shape[2], len(self.stem.groups)),
            "strides": (attribute(self.node, "strides", (1, 1))[0], 1),
            "pads": (top, left, bottom, right),
            "channels_last": 1,
        }

    def _view(self, value: ir.Value, shape: Sequence[Any]) -> ir.Value:
        """The value in another shape of the same batch; batch and height may be symbolic."""
        numbers = np.array([0, -1, *shape[2:]], np.int64)
        wanted = self.names.initializer(self._graph, f"{self.node.name}_shape", numbers)
        return self._add("Reshape", [value, wanted], shape)

    def _add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shape: Sequence[Any],
        attributes: dict[str, Any] | None = None,
        *,
        domain: str = "",
        name: str | None = None,
    ) -> ir.Value:
        wish = f"{self.node.name}_{op_type}"
        output = ir.Value(name=self.names.value(wish), type=self.node.outputs[0].type, shape=ir.Shape(shape))
        name = name or self.names.node(wish)
        made = ir.node(op_type, list(inputs), attributes or {}, domain=domain, outputs=[output], name=name)
        self._graph.insert_before(self.node, made)
        return output


def _channels_last(x: ir.Value) -> ir.Value | None:
    """A value with the elements of x in the order batch, height, width, channels; None if there is none."""
    transpose = x.producer()
    if transpose is not None and is_op(transpose, "Transpose") and tuple(attribute(transpose, "perm", ())) == _NCHW:
        return transpose.inputs[0]
    return x if x.shape is not None and x.shape[1] == 1 else None
