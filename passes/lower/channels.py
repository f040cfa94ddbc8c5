"""Where channels come from and go to: convolutions begin and end them, other operators only pass them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, attribute, constant, is_op, nodes, rank
from qcompile.passes.lower.integer_conv import IntegerConv, integer_conv
from qcompile.passes.lower.shuffles import Shuffle

_CHANNELWISE = {
    ("", "MaxPool"): (0,),
    ("", "Relu"): (0,),
    ("", "Clip"): (0,),
    (CONTRIB, "QLinearAveragePool"): (0,),
    (CONTRIB, "QLinearGlobalAveragePool"): (0,),
    (CONTRIB, "QLinearLeakyRelu"): (0,),
    (CONTRIB, "QLinearSigmoid"): (0,),
    (CONTRIB, "QLinearAdd"): (0, 3),
    (CONTRIB, "QLinearMul"): (0, 3),
}
"""Operators whose channel i depends on channel i alone, with the indexes of their activations."""


class ChannelTrace:
    """The channels of every value that convolutions make, as numbers: equal numbers must be laid out alike.

    A number is born where a dense convolution makes a channel. It is fixed where an operator reads or makes it that
    minds the order or the count of channels, which all do that are not known here, and shuffles unless they are given.
    """

    def __init__(self, model: ir.Model, shuffles: Iterable[Shuffle] = ()) -> None:
        self._shuffles = {node: shuffle for shuffle in shuffles for node in shuffle.nodes}
        self._same: list[int] = []
        self._fixed: list[int] = []
        self._channels: dict[ir.Value, np.ndarray] = {}
        self.convs: list[IntegerConv] = []
        for node in nodes(model):
            self._visit(node)
        for value, channels in self._channels.items():
            self._channels[value] = np.array([self._find(number) for number in channels], np.int64)
            if value.is_graph_output():
                self._fixed.extend(self._channels[value])
        self.fixed = frozenset(self._find(number) for number in self._fixed)

    def values(self) -> Iterable[tuple[ir.Value, np.ndarray]]:
        """Every traced value with its channels."""
        return self._channels.items()

    def channels(self, value: ir.Value) -> np.ndarray | None:
        """The numbers of the value's channels in order; None where they are not known."""
        return self._channels.get(value)

    def _visit(self, node: ir.Node) -> None:
        conv = integer_conv(node)
        if conv is not None:
            self.convs.append(conv)
            known = self._channels.get(conv.x)
            self._channels[conv.y] = self._born(len(conv.weight)) if not conv.depthwise or known is None else known
            if conv.depthwise and known is None:
                self._fixed.extend(self._channels[conv.y])
            return
        if node in self._shuffles:
            self._shuffle(self._shuffles[node])
            return
        made = self._passed_on(node)
        if made is None:
            for value in node.inputs:
                self._fixed.extend(self._channels.get(value, ()) if value is not None else ())
        else:
            self._channels.update(zip(node.outputs, made, strict=True))

    def _shuffle(self, shuffle: Shuffle) -> None:
        known = self._channels.get(shuffle.x)
        if known is not None:
            self._channels[shuffle.y] = known[shuffle.order]

    def _passed_on(self, node: ir.Node) -> Sequence[np.ndarray] | None:
        """Channels of the outputs of an operator that does not mind their order; None if it does."""
        operands = joined_or_split(node)
        indexes = _CHANNELWISE.get((node.domain, node.op_type), ())
        read = operands or [value for value in (node.inputs[index] for index in indexes) if value is not None]
        found = [self._channels.get(value) for value in read]
        known = [channels for channels in found if channels is not None]
        if not known or len(known) < len(found) or attribute(node, "channels_last", 0):
            return None
        if is_op(node, "Split"):
            sizes = split_sizes(node, len(known[0]))
            return None if sizes is None else np.split(known[0], np.cumsum(sizes)[:-1])
        if operands:
            return [np.concatenate(known)]
        shapes = {(len(channels), rank(value)) for channels, value in zip(known, read, strict=True)}
        if len(shapes) > 1 or len(node.outputs) > 1:
            return None
        for left, right in zip(known[0], known[-1], strict=True):
            self._same[self._find(right)] = self._find(left)
        return [known[0]]

    def _born(self, count: int) -> np.ndarray:
        first = len(self._same)
        self._same.extend(range(first, first + count))
        return np.arange(first, first + count)

    def _find(self, number: int) -> int:
        while self._same[number] != number:
            self._same[number] = number = self._same[self._same[number]]
        return int(number)


def joined_or_split(node: ir.Node) -> list[ir.Value]:
    """What a Concat or Split along the channels takes apart or puts together; nothing for other nodes."""
    operands: Sequence[ir.Value | None] = ()
    if is_op(node, "QLinearConcat", domain=CONTRIB) and attribute(node, "axis") == 1:
        operands = node.inputs[2::3]
    elif is_op(node, "Concat") and attribute(node, "axis") == 1:
        operands = node.inputs
    elif is_op(node, "Split") and attribute(node, "axis", 0) == 1:
        operands = node.inputs[:1]
    return [value for value in operands if value is not None]


def split_sizes(node: ir.Node, count: int) -> list[int] | None:
    """How many of the channels each output of a Split gets; None where it is computed."""
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        sizes = constant(node.inputs[1])
        return None if sizes is None else [int(size) for size in sizes]
    each = -(-count // len(node.outputs))
    return [min(each, count - start) for start in range(0, count, each)]
