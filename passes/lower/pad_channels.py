"""Channel counts that the runtime's fast convolution takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import EMPTY, Names, declare, is_op, lay_out, nodes, remove_dead
from qcompile.passes.lower.channels import ChannelTrace
from qcompile.passes.lower.integer_conv import IntegerConv
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Code, Reason

DENSE, DENSE_LEAST, DEPTHWISE = 4, 16, 16
"""Of what the symmetric kernels of onnxruntime want multiples in channels, and at least how many outputs
(microsoft/onnxruntime, mlas/lib/convsym.cpp and qlinearconv.cc)."""

DEPTHWISE_COST = 8
"""What a multiply-add of a depthwise convolution costs beside one of a dense: measured with AVX512-VNNI."""


@dataclass(frozen=True, eq=False)
class Row:
    """The channels of a value by their numbers; one object for all values with the same channels."""

    numbers: tuple[int, ...] = ()

    @cached_property
    def times(self) -> Counter[int]:
        """How often each number occurs."""
        return Counter(self.numbers)


class PadChannels(Substitute):
    """Widen 8-bit values by channels that nobody reads, to the multiples that the fast convolution takes.

    Before: `h[1,58,..] = QLinearConv(x, ..)  y = QLinearConv <group = 58> (h, ..)  z = QLinearConv(y, ..)`
    After:  `h[1,64,..] = QLinearConv(x, ..)  y = QLinearConv <group = 64> (h, ..)  z = QLinearConv(y, ..)`

    Dense convolutions get zero weights for the new channels, depthwise ones zero filters; poolings, tables, sums,
    Concat and Split along the channels pass them on. Every value stays as it is that leaves the graph or that any
    other operator reads. A convolution that gets the fast kernel gains about its time with it: all that is widened may
    cost no more than that. Exact.
    """

    name: ClassVar[str] = "pad-channels"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Widen where a convolution gets the fast kernel by it."""
        trace = ChannelTrace(model)
        padding = _Padding(trace)
        convs = [conv for conv in trace.convs if not conv.zero_point.any() and conv.weight.dtype == np.int8]
        lacking = [conv for conv in convs if not padding.is_met(conv)]
        for conv in convs:
            if conv not in lacking:
                padding.hold(conv)
        met = [conv for conv in lacking if padding.meet(conv)]
        if met:
            _widen(model, trace, padding.layouts())
            remove_dead(model)
            declare(model)
        why = Reason(
            Code.RULE_DECLINED,
            "padding its channels for the fast kernel costs more than it brings, or others read them",
        )
        return PassResult(len(met), tuple((conv.node.name or "", why) for conv in lacking if conv not in met))


class _Padding:
    """How many empty channels stand behind each channel; grows need by need.

    Values with the same channels are one row: they are laid out alike.
    """

    def __init__(self, trace: ChannelTrace) -> None:
        self._fixed, self._convs = trace.fixed, trace.convs
        self._behind: Counter[int] = Counter()
        rows: dict[tuple[int, ...], Row] = {}
        by_value = {value: tuple(channels.tolist()) for value, channels in trace.values()}
        self._rows = {value: rows.setdefault(numbers, Row(numbers)) for value, numbers in by_value.items()}
        self._held: dict[Row, int] = {}
        self._through: dict[int, list[Row]] = {}
        for row in rows.values():
            for number in row.times:
                self._through.setdefault(number, []).append(row)

    def layouts(self) -> dict[ir.Value, np.ndarray]:
        """Which channel each place of each value holds."""
        layouts = {}
        for value, row in self._rows.items():
            parts = [[place, *[EMPTY] * self._behind[number]] for place, number in enumerate(row.numbers)]
            layouts[value] = np.array([place for part in parts for place in part], np.int64)
        return layouts

    def is_met(self, conv: IntegerConv) -> bool:
        """Whether the fast kernel takes the convolution."""
        return not any(self._lack(need) for need in _needs(conv))

    def hold(self, conv: IntegerConv) -> None:
        """Let no later padding take the fast kernel from the convolution."""
        for need in _needs(conv):
            row = self._row(need.value)
            self._held[row] = max(need.multiple, self._held.get(row, 1))

    def meet(self, conv: IntegerConv) -> bool:
        """Widen what the convolution reads and makes until the fast kernel takes it; or leave all as it was."""
        before, work = self._behind.copy(), self._work(self._convs)
        most = work + self._work([conv])
        done = all(self._widen(self._row(need.value), self._lack(need), frozenset()) for need in _needs(conv))
        if not done or not self.is_met(conv) or self._work(self._convs) > most:
            self._behind = before
            return False
        self.hold(conv)
        return True

    def _work(self, convs: Iterable[IntegerConv]) -> int:
        """What convolutions cost with the fast kernel, in multiply-adds of dense ones."""
        work = 0
        for conv in convs:
            shape, (_, inputs, *kernel) = conv.y.shape or (), conv.weight.shape
            area = prod(size for size in (*shape[2:], *kernel) if isinstance(size, int))
            reads = DEPTHWISE_COST if conv.depthwise else self._width(self._row(conv.x)) or inputs
            work += area * reads * self._width(self._rows[conv.y])
        return work

    def _row(self, value: ir.Value) -> Row:
        return self._rows.get(value, Row())

    def _lack(self, need: _Need) -> int:
        width = self._width(self._rows[need.value]) if need.value in self._rows else need.count
        return max(need.least - width, -width % need.multiple)

    def _width(self, row: Row) -> int:
        return len(row.numbers) + sum(more * row.times[number] for number, more in self._behind.items())

    def _widen(self, row: Row, lack: int, settled: frozenset[Row]) -> bool:
        """Put empty channels at the last place that can take them, and mend what other rows lose by it elsewhere."""
        if not lack:
            return True
        settled |= {row}
        tried = set()
        for number in reversed(row.numbers):
            others = [other for other in self._through[number] if other != row]
            if number in self._fixed or tuple(others) in tried or not settled.isdisjoint(others):
                continue
            tried.add(tuple(others))
            before = self._behind.copy()
            self._behind[number] += lack
            if all(self._mend(other, settled) for other in others):
                return True
            self._behind = before
        return False

    def _mend(self, row: Row, settled: frozenset[Row]) -> bool:
        return self._widen(row, -self._width(row) % self._held.get(row, 1), settled)


@dataclass(frozen=True)
class _Need:
    """A value whose channels a kernel wants in multiples of a number, and how many at least."""

    value: ir.Value
    count: int
    """Its channels, as the weights have them."""
    multiple: int
    least: int


def _needs(conv: IntegerConv) -> list[_Need]:
    outputs, inputs = conv.weight.shape[:2]
    if conv.depthwise:
        return [_Need(conv.x, outputs, DEPTHWISE, DEPTHWISE)]
    return [_Need(conv.x, inputs, DENSE, DENSE), _Need(conv.y, outputs, DENSE, DENSE_LEAST)]


def _widen(model: ir.Model, trace: ChannelTrace, layouts: dict[ir.Value, np.ndarray]) -> None:
    names = Names(model)
    wider = {value for value, layout in layouts.items() if (layout == EMPTY).any()}
    for conv in trace.convs:
        if wider & {conv.x, conv.y}:
            reads = layouts.get(conv.x, np.arange(conv.weight.shape[1]))
            conv.rearrange(reads, layouts[conv.y], names)
    for node in list(nodes(model)):
        if is_op(node, "Split") and wider & set(node.outputs):
            _resize(node, [len(layouts[value]) for value in node.outputs], names)
    for value in wider:
        lay_out(value, layouts[value])


def _resize(split: ir.Node, sizes: list[int], names: Names) -> None:
    assert isinstance(split.graph, ir.Graph)
    split.attributes.pop("num_outputs", None)
    split.resize_inputs(2)
    split.replace_input_with(1, names.initializer(split.graph, f"{split.name}_sizes", np.array(sizes, np.int64)))
