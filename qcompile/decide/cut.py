"""The cheapest line between what computes on integers and what computes in float: a minimum cut.

Stone 1977, "Multiprocessor Scheduling with the Aid of Network Flow Algorithms": two processors, a price for each task
on each, a price for each message between them. Here the processors are integers and floats, the messages tensors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from qcompile.decide.min_cut import Network, Vertex

INTEGERS, FLOATS = ("side", "integers"), ("side", "floats")


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
    network = Network()

    def pay(payer: Vertex, other: Vertex, price: float = math.inf) -> None:
        """The price is paid if the payer is on integers and the other one is not."""
        network.add(
            other, payer, price
        )  # seen from the floats, so that of equal cuts the one with fewest floats counts

    makers = {value: task for task in tasks for value in task.makes}
    for task in tasks:
        pay(("task", task.name), FLOATS, task.integer)
        pay(INTEGERS, ("task", task.name), task.floating)
        for value in task.reads:
            maker = makers.get(value)
            made_integer = maker is not None and not maker.makes_floats
            source = ("task", maker.name) if maker is not None and made_integer else FLOATS
            # somebody computes on integers: the value is quantized, unless it comes so
            pay(("task", task.name), ("codes", value))
            pay(("codes", value), source, edges.quantize.get(value, 0.0))
            if made_integer:  # somebody computes in float: the value is dequantized, once
                pay(source, ("reals", value), edges.dequantize.get(value, 0.0))
                pay(("reals", value), ("task", task.name))
    for value in read_as_floats:
        maker = makers.get(value)
        if maker is not None and not maker.makes_floats:
            pay(("task", maker.name), ("reals", value), edges.dequantize.get(value, 0.0))
            pay(("reals", value), FLOATS)
    on_floats = network.cut(FLOATS, INTEGERS)
    return {task.name for task in tasks if ("task", task.name) in on_floats}
