"""What every unit costs by the target's table: where nothing is timed, or the target is not this host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from qcompile.decide.cut import cheapest_floats
from qcompile.decide.placement import Placement
from qcompile.decide.prices import Prices, Times, count_elements, priced
from qcompile.ir import attribute, static_shape
from qcompile.runtime import Event, Feed, Runtime, profile
from qcompile.targets import KernelPrices
from qcompile.verify import multiply_adds


def cheaper_in_float(
    model: ir.Model, placement: Placement, table: KernelPrices, feed: Feed, runtime: Runtime
) -> set[str]:
    """Names of the nodes that should stay float by the table; all of them where nothing is gained by integers."""
    prices = estimated(model, placement, table, feed, profile(model, feed, runtime=runtime))
    return cheapest_floats(prices.tasks, prices.edges, prices.read_as_floats)


def estimated(
    model: ir.Model, placement: Placement, table: KernelPrices, feed: Feed, events: Sequence[Event]
) -> Prices:
    """Prices of all units; `events` are those of a run of the model as it is written on the feed."""
    macs, elements = multiply_adds(events), count_elements(model, feed, events)

    def times(form: int) -> Times:
        priced_nodes = (unit.node for unit in placement.units)  # clamps are free: both forms absorb them
        return {n.name or "": (n.op_type, _microseconds(n, table, form, macs, elements)) for n in priced_nodes}

    return priced(model, placement, times(1), times(0), elements)


def _microseconds(
    node: ir.Node, table: KernelPrices, form: int, macs: Mapping[str, int], elements: Mapping[str, int]
) -> float:
    made = sum(elements.get(value.name or "", 0) for value in node.outputs)
    nanoseconds = macs.get(node.name or "", 0) * _rate(node, table)[form] + made * table.element[form]
    return table.call[form] + nanoseconds / 1000


def _rate(node: ir.Node, table: KernelPrices) -> tuple[float, float]:
    if node.op_type in ("LSTM", "GRU", "RNN"):
        return table.recurrent
    if node.op_type != "Conv":
        return table.dense
    channels = (static_shape(node.inputs[1]) or (0, 0))[1]
    if attribute(node, "group", 1) > 1:
        return table.depthwise
    return table.dense if channels % 4 == 0 else table.narrow
