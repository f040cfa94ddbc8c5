"""The cheapest line between what computes on integers and what computes in float: a minimum cut.

Stone 1977, "Multiprocessor Scheduling with the Aid of Network Flow Algorithms": two processors, a price for each task
on each, a price for each message between them. Here the processors are integers and floats, the messages tensors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One unit that can compute either way, prices in microseconds."""

    name: str
    integer: float
    floating: float
    reads: tuple[str, ...]
    """Names of the activations that it reads."""
    makes: tuple[str, ...]
    """Names of the values that leave it."""
    makes_floats: bool = False
    """Whether its integer form, too, gives floats."""


@dataclass(frozen=True)
class Edges:
    """What it costs that a value changes its form, in microseconds, by value name."""

    quantize: Mapping[str, float]
    dequantize: Mapping[str, float]


def cheapest_floats(tasks: Sequence[Task], edges: Edges, read_as_floats: Collection[str]) -> set[str]:
    """Names of the tasks that should compute in float. `read_as_floats` holds values that float work reads anyway."""
    import networkx as nx  # only where something is decided by price

    graph: nx.DiGraph[object] = nx.DiGraph()
    graph.add_nodes_from(("integers", "floats"))
    makers = {value: task for task in tasks for value in task.makes}
    for task in tasks:
        graph.add_edge(("task", task.name), "floats", capacity=task.integer)
        graph.add_edge("integers", ("task", task.name), capacity=task.floating)
        for value in task.reads:
            maker = makers.get(value)
            made_integer = maker is not None and not maker.makes_floats
            source = ("task", maker.name) if maker is not None and made_integer else "floats"
            # somebody computes on integers: the value is quantized, unless it comes so
            graph.add_edge(("task", task.name), ("codes", value))
            graph.add_edge(("codes", value), source, capacity=edges.quantize.get(value, 0.0))
            if made_integer:  # somebody computes in float: the value is dequantized, once
                graph.add_edge(source, ("reals", value), capacity=edges.dequantize.get(value, 0.0))
                graph.add_edge(("reals", value), ("task", task.name))
    for value in read_as_floats:
        maker = makers.get(value)
        if maker is not None and not maker.makes_floats:
            graph.add_edge(("task", maker.name), ("reals", value), capacity=edges.dequantize.get(value, 0.0))
            graph.add_edge(("reals", value), "floats")
    _, (_, on_floats) = nx.minimum_cut(graph, "integers", "floats", flow_func=nx.algorithms.flow.boykov_kolmogorov)
    return {task.name for task in tasks if ("task", task.name) in on_floats}
