"""Channel shuffles that cost nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, constant, declare, is_op, lay_out, nodes, remove_dead
from qcompile.passes.lower.channels import ChannelTrace, joined_or_split, split_sizes
from qcompile.passes.lower.shuffles import Shuffle, shuffles
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Code, Reason

Scaled = tuple[ir.Value, ir.Value]
"""Scale and zero point."""


_KEPT = "some channels that meet here do not begin or end in convolutions"


class RouteChannels(Substitute):
    """Replace shuffles of channels by the order in which convolutions write them.

    Before: `c = Concat(l, r)  s = shuffle(c)  p, q = Split(s)  y = QLinearConv(q, ..)`, again and again
    After:  `l1, l2 = Split(l)  r1, r2 = Split(r)  q = Concat(l2, r2)  y = QLinearConv(q, ..)`

    Every channel's way through Concat, Split and shuffles is known, so each convolution can write next to each other
    what is read together, and what reads takes it from there, however often it was passed on in between. Where a
    QLinearConcat on the way changes the scale, the part is requantized as before. Only where all channels that meet
    in the shuffles begin and end in convolutions. Exact.
    """

    name: ClassVar[str] = "route-channels"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Route every family of channels with a shuffle in it."""
        found = list(shuffles(model))
        trace = ChannelTrace(model, found)
        fixed = _family(trace, trace.fixed)
        seeds = [number for s in found if (known := trace.channels(s.x)) is not None for number in known.tolist()]
        movable = _family(trace, seeds) - fixed
        routed = [shuffle for shuffle in found if not movable.isdisjoint(_numbers(trace, shuffle.x))]
        kept = [shuffle.nodes[1].name or "" for shuffle in found if movable.isdisjoint(_numbers(trace, shuffle.x))]
        if routed:
            _route(model, trace, routed, movable)
            remove_dead(model)
            declare(model)
        return PassResult(len(routed), tuple((name, Reason(Code.RULE_DECLINED, _KEPT)) for name in kept))


def _numbers(trace: ChannelTrace, value: ir.Value) -> list[int]:
    channels = trace.channels(value)
    return [] if channels is None else channels.tolist()


def _family(trace: ChannelTrace, seeds: Iterable[int]) -> set[int]:
    """All channels that meet a seed in some value, or meet one that does."""
    values = [set(channels.tolist()) for _, channels in trace.values()]
    family, size = set(seeds), -1
    while len(family) > size:
        size = len(family)
        family.update(*(numbers for numbers in values if not numbers.isdisjoint(family)))
    return family


@dataclass(frozen=True)
class _Origin:
    """Where one channel of a routed value comes from."""

    source: ir.Value
    place: int
    path: tuple[tuple[Scaled, Scaled], ...] = ()
    """The changes of scale on its way."""


def _route(model: ir.Model, trace: ChannelTrace, found: list[Shuffle], movable: set[int]) -> None:
    origins, routers = _origins(model, trace, found, movable)
    read = [value for value in origins if any(use.node not in routers for use in value.uses())]
    readers: dict[int, list[int]] = defaultdict(list)
    for index, value in enumerate(read):
        for number in _numbers(trace, value):
            readers[number].append(index)
    rank = {number: place for place, number in enumerate(sorted(movable, key=lambda n: (readers[n], n)))}
    orders = {
        value: np.argsort([rank[number] for number in channels.tolist()], kind="stable")
        for value, channels in trace.values()
        if not movable.isdisjoint(channels.tolist())
    }
    names = Names(model)
    for conv in trace.convs:
        if conv.x in orders or conv.y in orders:
            identity = np.arange(len(conv.weight) if conv.depthwise else conv.weight.shape[1])
            made = np.arange(len(conv.weight))
            conv.rearrange(orders.get(conv.x, identity), orders.get(conv.y, made), names)
    for value, order in orders.items():
        if value not in origins:
            lay_out(value, order)
    _Wiring(names, orders).connect({value: origins[value] for value in read}, routers)


def _origins(
    model: ir.Model, trace: ChannelTrace, found: list[Shuffle], movable: set[int]
) -> tuple[dict[ir.Value, list[_Origin]], set[ir.Node]]:
    """Where the channels come from of each value that only moves them, and the nodes that make these."""
    origins: dict[ir.Value, list[_Origin]] = {}
    routers: set[ir.Node] = set()
    by_last = {shuffle.nodes[2]: shuffle for shuffle in found}

    def of(value: ir.Value) -> list[_Origin]:
        return origins.get(value) or [_Origin(value, place) for place in range(len(_numbers(trace, value)))]

    for node in nodes(model):
        if movable.isdisjoint(_numbers(trace, node.outputs[0])):
            continue
        operands = joined_or_split(node)
        if node in by_last:
            shuffle = by_last[node]
            before = of(shuffle.x)
            origins[shuffle.y] = [before[place] for place in shuffle.order]
            routers.update(shuffle.nodes)
        elif is_op(node, "Split") and operands:
            before = of(operands[0])
            bounds = np.cumsum([0, *(split_sizes(node, len(before)) or ())])
            origins |= {y: before[a:b] for y, (a, b) in zip(node.outputs, pairwise(bounds), strict=True)}
            routers.add(node)
        elif operands:
            steps = _scale_changes(node)
            joined = [(origin, step) for x, step in zip(operands, steps, strict=True) for origin in of(x)]
            origins[node.outputs[0]] = [_Origin(o.source, o.place, (*o.path, *step)) for o, step in joined]
            routers.add(node)
    return origins, routers


def _scale_changes(node: ir.Node) -> list[tuple[tuple[Scaled, Scaled], ...]]:
    """For each operand of a Concat or QLinearConcat the change of its scale, if there is one."""
    if is_op(node, "Concat"):
        return [()] * len(node.inputs)
    inputs = [value for value in node.inputs if value is not None]
    to = inputs[0], inputs[1]
    pairs = [((scale, zero), to) for scale, zero in zip(inputs[3::3], inputs[4::3], strict=True)]
    return [() if all(map(_is_same, *pair)) else (pair,) for pair in pairs]


def _is_same(left: ir.Value, right: ir.Value) -> bool:
    a, b = constant(left), constant(right)
    return left is right or (a is not None and b is not None and bool(np.array_equal(a, b)))


@dataclass(frozen=True)
class _Piece:
    """Channels that lie next to each other in a source and went the same way."""

    source: ir.Value
    start: int
    stop: int
    path: tuple[tuple[Scaled, Scaled], ...]


class _Wiring:
    """Puts what is read together from pieces of what convolutions make."""

    def __init__(self, names: Names, orders: dict[ir.Value, np.ndarray]) -> None:
        self._names = names
        self._orders = orders
        self._places = {value: np.argsort(order) for value, order in orders.items()}
        self._parts: dict[ir.Value, dict[int, ir.Value]] = {}
        self._requantized: dict[tuple[object, ...], ir.Value] = {}

    def connect(self, read: dict[ir.Value, list[_Origin]], routers: set[ir.Node]) -> None:
        """Let every reader of the values that is no router read the same channels from their sources."""
        pieces = {value: self._pieces(value, origins) for value, origins in read.items()}
        cuts: dict[ir.Value, set[int]] = defaultdict(set)
        for piece in (piece for found in pieces.values() for piece in found):
            cuts[piece.source] |= {piece.start, piece.stop}
        for source, bounds in cuts.items():
            self._parts[source] = self._cut(source, sorted(bounds | {0, len(self._orders[source])}))
        for value, found in pieces.items():
            new = self._join(value, found)
            for use in [use for use in value.uses() if use.node not in routers]:
                use.node.replace_input_with(use.idx, new)

    def _pieces(self, value: ir.Value, origins: list[_Origin]) -> list[_Piece]:
        pieces: list[_Piece] = []
        for origin in (origins[index] for index in self._orders[value]):
            place = int(self._places[origin.source][origin.place])
            last = pieces[-1] if pieces else None
            start = place
            if last and (last.source, last.stop, last.path) == (origin.source, place, origin.path):
                start = pieces.pop().start
            pieces.append(_Piece(origin.source, start, place + 1, origin.path))
        return pieces

    def _cut(self, source: ir.Value, bounds: list[int]) -> dict[int, ir.Value]:
        """The parts of a source by the channel they begin with."""
        producer, sizes = source.producer(), np.diff(bounds)
        assert producer is not None and isinstance(producer.graph, ir.Graph)
        if len(sizes) == 1:
            return {0: source}
        lengths = self._names.initializer(producer.graph, f"{source.name}_sizes", sizes.astype(np.int64))
        outputs = [self._like(source, f"{source.name}_part", int(size)) for size in sizes]
        name = self._names.node(f"{source.name}_Split")
        producer.graph.insert_after(
            producer, ir.node("Split", [source, lengths], {"axis": 1}, outputs=outputs, name=name)
        )
        return dict(zip(bounds, outputs, strict=False))

    def _join(self, value: ir.Value, pieces: list[_Piece]) -> ir.Value:
        anchor = value.producer()
        assert anchor is not None and anchor.graph is not None
        parts = [
            (self._rescaled(part, piece.path[:-1]), piece.path[-1:])
            for piece in pieces
            for start, part in self._parts[piece.source].items()
            if piece.start <= start < piece.stop
        ]
        target = next((step[0][1] for _, step in parts if step), None)
        if target is None and len(parts) == 1:
            return parts[0][0]
        if target is None:
            node = ir.node("Concat", [part for part, _ in parts], {"axis": 1})
        else:
            triples = [item for part, step in parts for item in (part, *(step[0][0] if step else target))]
            node = ir.node("QLinearConcat", [*target, *triples], {"axis": 1}, domain=CONTRIB)
        node.name = self._names.node(f"{value.name}_{node.op_type}")
        node.outputs[0].name = self._names.value(f"{value.name}_routed")
        node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
        anchor.graph.insert_before(anchor, node)
        return node.outputs[0]

    def _rescaled(self, part: ir.Value, path: tuple[tuple[Scaled, Scaled], ...]) -> ir.Value:
        """The part after all changes of scale on a path."""
        if not path:
            return part
        key = (part, path)
        if key not in self._requantized:
            before = self._rescaled(part, path[:-1])
            producer = before.producer()
            assert producer is not None and producer.graph is not None
            (old, new) = path[-1]
            result = self._like(part, f"{part.name}_rescaled", None)
            name = self._names.node(f"{part.name}_QLinearConcat")
            node = ir.node(
                "QLinearConcat", [*new, before, *old], {"axis": 1}, domain=CONTRIB, outputs=[result], name=name
            )
            producer.graph.insert_after(producer, node)
            self._requantized[key] = result
        return self._requantized[key]

    def _like(self, value: ir.Value, wish: str, channels: int | None) -> ir.Value:
        shape = value.shape
        if shape is not None and channels is not None:
            shape = ir.Shape([*shape[:1], channels, *shape[2:]])
        return ir.Value(name=self._names.value(wish), type=value.type, shape=shape)
