"""What every unit costs on integers and in float: read from the profiles of the whole net in both forms."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.decide.cut import Edges, Task
from qcompile.decide.placement import Placement, Unit
from qcompile.ir import constant, nodes
from qcompile.plan import Form
from qcompile.runtime import Event

Times = Mapping[str, tuple[str, float]]
"""Operator and microseconds by node name, or by the name of the last output of what was fused."""

QUANTIZE_NS, DEQUANTIZE_NS, CONVERSION_US = 0.75, 0.65, 3.0
"""Nanoseconds an element and microseconds a tensor that a change of form costs, the change of layout that comes with
it included. Measured on convolution nets; they differ between nets, so several multiples are tried."""

_PRODUCTS = {"Conv": "Conv", "FusedConv": "Conv", "Gemm": "Gemm", "FusedGemm": "Gemm", "FusedMatMul": "MatMul"}


@dataclass(frozen=True)
class Prices:
    """Units as tasks with their prices, and what the edges between the forms cost."""

    tasks: tuple[Task, ...]
    edges: Edges
    read_as_floats: frozenset[str]

    def scaled(self, edges: float, integer: float) -> Prices:
        """The prices with the edges and the integer work so many times as dear."""
        tasks = tuple(
            Task(t.name, t.integer * integer, t.floating, t.reads, t.makes, t.makes_floats) for t in self.tasks
        )
        scaled = Edges(
            {value: cost * edges for value, cost in self.edges.quantize.items()},
            {value: cost * edges for value, cost in self.edges.dequantize.items()},
        )
        return Prices(tasks, scaled, self.read_as_floats)


def slowdown(prices: Prices, names: Collection[str]) -> float:
    """How much longer a run takes if these tasks compute in float, as a share of all tasks on integers; at most."""
    edges, given = prices.edges, [task for task in prices.tasks if task.name in names]
    more = sum(
        task.floating
        - task.integer
        + sum(edges.dequantize.get(value, 0.0) for value in task.reads)
        + sum(edges.quantize.get(value, 0.0) for value in task.makes)
        for task in given
    )
    return more / max(sum(task.integer for task in prices.tasks), 1e-9)


def priced(
    model: ir.Model, placement: Placement, integer: Times, floating: Times, elements: Mapping[str, int]
) -> Prices:
    """Prices of all units of a placement; `elements` counts those of every value on the feed that was timed."""
    on_floats = _by_node(model, floating)
    tasks = []
    inside = {node.name for unit in placement.units for node in (unit.node, *unit.clamps)}
    for unit in placement.units:
        names = [node.name or "" for node in (unit.node, *unit.clamps)]
        tasks.append(
            Task(
                unit.node.name or "",
                sum(integer[name][1] for name in names if name in integer),
                sum(on_floats.get(name, 0.0) for name in names),
                () if unit.form is Form.DYNAMIC else _activations(unit),
                tuple(value.name or "" for value in unit.outputs),
                unit.form is not Form.INTEGER,
            )
        )
    values = {name for task in tasks for name in (*task.reads, *task.makes)}
    edges = Edges(
        {v: CONVERSION_US + elements.get(v, 0) * QUANTIZE_NS / 1000 for v in values},
        {v: CONVERSION_US + elements.get(v, 0) * DEQUANTIZE_NS / 1000 for v in values},
    )
    return Prices(tuple(tasks), edges, frozenset(_read_by_others(placement.units, inside)))


def count_elements(model: ir.Model, feed: Mapping[str, object], events: Sequence[Event]) -> dict[str, int]:
    """Elements of every value on a feed, by the events of a run of the model as it is written."""
    found = {name: int(getattr(array, "size", 0)) for name, array in feed.items()}
    by_name = {node.name: node for node in nodes(model)}
    for event in events:
        node = by_name.get(event.name)
        made = [value for value in node.outputs if value.name] if node is not None else []
        found |= {value.name or "": math.prod(shape) for value, shape in zip(made, event.outputs, strict=False)}
    return found


def _by_node(model: ir.Model, times: Times) -> dict[str, float]:
    """Microseconds by node; what the runtime fused counts for the product in it."""
    makers = {value.name: node for node in nodes(model) for value in node.outputs}
    by_name = {node.name: node for node in nodes(model)}
    found: dict[str, float] = {}
    for name, (op_type, microseconds) in times.items():
        node = by_name.get(name) or makers.get(name)
        wanted = _PRODUCTS.get(op_type)
        while node is not None and wanted is not None and node.op_type != wanted:
            before = [value.producer() for value in node.inputs if value is not None]
            node = next((maker for maker in before if maker is not None and maker.name not in found), None)
        if node is not None and node.name is not None:
            found[node.name] = found.get(node.name, 0.0) + microseconds
    return found


def _activations(unit: Unit) -> tuple[str, ...]:
    return tuple(value.name or "" for value in unit.activations if constant(value) is None)


def _read_by_others(units: Sequence[Unit], inside: set[str | None]) -> set[str]:
    values = [value for unit in units for value in unit.outputs]
    return {
        value.name or ""
        for value in values
        if value.is_graph_output() or any(use.node.name not in inside for use in value.uses())
    }
