"""The cut against every way to divide the tasks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcompile.decide.cut import Edges, Task, cheapest_floats


def cost(tasks: list[Task], edges: Edges, read: set[str], floats: set[str]) -> float:
    """What a division costs, counted one by one."""
    total = sum(task.floating if task.name in floats else task.integer for task in tasks)
    codes = {v for task in tasks if task.name not in floats and not task.makes_floats for v in task.makes}
    by_integers = {v for task in tasks if task.name not in floats for v in task.reads}
    by_floats = {v for task in tasks if task.name in floats for v in task.reads} | read
    total += sum(edges.quantize[v] for v in by_integers - codes)
    return total + sum(edges.dequantize[v] for v in by_floats & codes)


@st.composite
def nets(draw: st.DrawFn) -> tuple[list[Task], Edges, set[str]]:
    """Some tasks that read what earlier ones made, with prices of all kinds."""
    price = st.integers(0, 20).map(float)
    tasks, values = [], ["in"]
    for number in range(draw(st.integers(1, 6))):
        reads = tuple(draw(st.sets(st.sampled_from(values), min_size=1, max_size=2)))
        made = f"v{number}"
        tasks.append(Task(f"t{number}", draw(price), draw(price), reads, (made,), draw(st.booleans())))
        values.append(made)
    edges = Edges({v: draw(price) for v in values}, {v: draw(price) for v in values})
    return tasks, edges, draw(st.sets(st.sampled_from(values[1:])))


@settings(deadline=None)
@given(nets())
def test_no_other_division_is_cheaper(net: tuple[list[Task], Edges, set[str]]) -> None:
    tasks, edges, read = net
    found = cheapest_floats(tasks, edges, read)
    ways = product([False, True], repeat=len(tasks))
    divisions = [{t.name for t, is_float in zip(tasks, way, strict=True) if is_float} for way in ways]
    costs = [cost(tasks, edges, read, floats) for floats in divisions]
    assert cost(tasks, edges, read, found) == pytest.approx(min(costs))


@pytest.mark.parametrize(("edge", "floats"), [(1.0, {"slow"}), (50.0, set())])
def test_a_slow_integer_node_is_an_island_only_where_its_shores_are_cheap(edge: float, floats: set[str]) -> None:
    tasks = [
        Task("before", 1.0, 100.0, ("x",), ("a",)),
        Task("slow", 30.0, 5.0, ("a",), ("b",)),
        Task("after", 1.0, 100.0, ("b",), ("c",)),
    ]
    edges = Edges(dict.fromkeys("xabc", edge), dict.fromkeys("xabc", edge))
    assert cheapest_floats(tasks, edges, {"c"}) == floats
