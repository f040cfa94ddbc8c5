"""What the rules of a recipe do to ranges: the observer that gives them, and zero in their middle.

A range belongs to the nodes that make its values, and that of an input of the model to the nodes that read it. Where
several values share a range (what is only moved has that of where it came from), the last rule for any of their nodes
holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from qcompile.decide.placement import Placement
from qcompile.errors import RecipeError
from qcompile.plan import Form
from qcompile.quant import OBSERVERS, HistogramObserver, MinMaxObserver, Observer, QuantParams, Scheme

Range = tuple[float, float]
T = TypeVar("T")


def observed_ranges(placement: Placement, observers: Mapping[str, Observer], scheme: Scheme) -> dict[str, Range]:
    """Ranges that a recipe wants read by an observer of its own, by value name.

    Raises RecipeError where what was observed does not hold enough for that.
    """
    wanted = _by_group(placement, placement.overrides.observers)
    return {v: _read(observers[v], name, v, scheme) for v, name in wanted.items() if v in observers}


def mirrored(placement: Placement, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges, widened where a recipe wants zero in the middle: 127 steps above it and, as codes go, 128 below."""
    wanted = _by_group(placement, placement.overrides.symmetric)
    ends = {name: max(-ranges[name][0], ranges[name][1]) or 1.0 for name in wanted}
    return {**ranges, **{name: (-end * 128 / 127, end) for name, end in ends.items()}}


def check_symmetric(placement: Placement, params: Mapping[str, QuantParams]) -> None:
    """Raises RecipeError where a kernel has codes of its own for what a recipe wants symmetric."""
    for name, where in _by_group(placement, placement.overrides.symmetric).items():
        found = params[name]
        if int(found.zero_point) != (found.qmin + found.qmax + 1) // 2:
            raise RecipeError(
                f"no symmetric codes of value {name!r} for {where} (a kernel that reads or makes it has its own); "
                "leave that node out of the rule"
            )


def _by_group(placement: Placement, by_node: Mapping[str, T]) -> dict[str, T]:
    """What is said of nodes, by the value whose range it is about."""
    groups: dict[str, list[str]] = {}
    for group, node in _makers(placement) if by_node else ():
        groups.setdefault(node, []).append(group)
    return {group: said for node, said in by_node.items() for group in groups.get(node, ())}


def _makers(placement: Placement) -> Iterator[tuple[str, str]]:
    """(value whose range is shared, name of a node that it belongs to), in graph order."""
    for unit in placement.units:
        for value in unit.activations:
            made_by = value.producer() or unit.node
            if value.name in placement.groups:
                yield placement.groups[value.name], made_by.name or ""
        for value in unit.outputs if unit.form is Form.INTEGER else ():
            for node in (unit.node, *unit.clamps):
                yield placement.groups[value.name or ""], node.name or ""


def _read(observer: Observer, name: str, value: str, scheme: Scheme) -> Range:
    if observer.name == name:
        return observer.range(scheme)
    if not isinstance(observer, HistogramObserver):
        raise RecipeError(f"no {name} range of value {value!r} (one observer is asked for, {observer.name}); drop it")
    if name == MinMaxObserver.name:
        return min(observer.histogram.low, 0.0), max(observer.histogram.high, 0.0)
    other = OBSERVERS[name]
    assert issubclass(other, HistogramObserver)
    return other(histogram=observer.histogram).range(scheme)
