"""Which nodes a rule of a recipe matches."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from qcompile.decide.facts import computes_float
from qcompile.errors import RecipeError
from qcompile.ir import bodies, graphs, nodes, owners
from qcompile.plan import Rule


def matched_nodes(rule: Rule, model: ir.Model) -> list[ir.Node]:
    """The compute nodes that a rule matches, in graph order.

    Raises RecipeError where it matches none, or names a node or value that the model does not have.
    """
    computing = [node for node in nodes(model) if computes_float(node)]
    if rule.plan is not None:
        names = {node.name for node in computing}
        missing = next((name for name in rule.plan if name not in names), None)
        if missing is not None:
            raise RecipeError(f"no compute node {missing!r} for {rule.at('plan')}; paste from a plan of this model")
    inside = _between(rule, model) if rule.between is not None else None
    found = [node for node in computing if _matches(rule, node) and (inside is None or node in inside)]
    if not found:
        asked = f" ({rule})" if str(rule) else ""
        raise RecipeError(f"no compute node matches the rule in {rule.at()}{asked}; see the names with --save-plan")
    return found


def _matches(rule: Rule, node: ir.Node) -> bool:
    if rule.plan is not None:
        return node.name in rule.plan
    by_name = rule.name is None or rule.name.search(node.name or "") is not None
    return by_name and (not rule.op or node.op_type in rule.op)


def _between(rule: Rule, model: ir.Model) -> set[ir.Node]:
    """The nodes on all paths from one value to another, those in bodies included."""
    assert rule.between is not None
    values = {value.name: value for value in _values(model)}
    for name in rule.between:
        if name not in values:
            raise RecipeError(f"no value {name!r} for {rule.at('between')}; see the names with --save-plan")
    start, end = (values[name] for name in rule.between)
    return _behind(start, model) & _before(end)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    for graph in graphs(model):
        yield from graph.inputs
        for node in graph:
            yield from node.outputs


def _behind(start: ir.Value, model: ir.Model) -> set[ir.Node]:
    """Every node that depends on the value: its readers, the nodes that carry them in a body, and so on."""
    carriers = owners(model)
    found: set[ir.Node] = set()
    waiting = [use.node for use in start.uses()]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        waiting += [use.node for value in node.outputs for use in value.uses()]
        carrier = carriers.get(node.graph) if isinstance(node.graph, ir.Graph) else None
        if carrier is not None:
            waiting.append(carrier)
    return found


def _before(end: ir.Value) -> set[ir.Node]:
    """Every node that the value depends on, with what is in the bodies of those."""
    found: set[ir.Node] = set()
    waiting = [end.producer()]
    while waiting:
        node = waiting.pop()
        if node is None or node in found:
            continue
        found.add(node)
        waiting += [value.producer() for value in node.inputs if value is not None]
        waiting += [value.producer() for body in bodies(node) for value in body.outputs]
    return found
