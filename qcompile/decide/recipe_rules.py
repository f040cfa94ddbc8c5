"""What the rules of a recipe come to on a model: by node, the later rule winning."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from qcompile.decide.facts import node_facts
from qcompile.decide.recipe_matching import matched_nodes
from qcompile.decide.storage import WEIGHT_AXES
from qcompile.errors import RecipeError
from qcompile.ir import constant
from qcompile.plan import Code, Decision, Form, Reason, Recipe, Rule
from qcompile.targets import Target


@dataclass(frozen=True)
class Wanted:
    """An integer form that a rule asks for (None: any), and the rule's FILE:LINE."""

    form: Form | None
    where: str


@dataclass(frozen=True)
class Overrides:
    """What a recipe says of nodes, by name."""

    kept_float: Mapping[str, Reason] = field(default_factory=dict)
    integer: Mapping[str, Wanted] = field(default_factory=dict)
    """Nodes that no search may make float."""
    symmetric: Mapping[str, str] = field(default_factory=dict)
    """Nodes that make codes with zero in their middle, with the rule's FILE:LINE."""
    per_tensor: frozenset[str] = frozenset()
    """Nodes whose weights have one scale each."""
    observers: Mapping[str, str] = field(default_factory=dict)
    """The observer of what a node makes, in the order of the rules."""

    def reasons(self, kept_float: Mapping[str, Reason]) -> dict[str, Reason]:
        """Which nodes stay float, where something else would have these stay so."""
        allowed = {n: r for n, r in kept_float.items() if n not in self.integer or r.code not in _SEARCHED}
        return {**self.kept_float, **allowed}

    def form(self, node: str | None) -> Form | None:
        """The integer form that the node of this name is to have, if one is asked for."""
        wanted = self.integer.get(node or "")
        return wanted.form if wanted is not None else None

    def broken(self, nodes: Mapping[str, Decision]) -> str | None:
        """The line that says which form is asked for and cannot be had; None if all are as asked."""
        for name, wanted in self.integer.items():
            got = nodes[name]
            if wanted.form not in (None, got.form):
                why = f"here it is {got.form}{f', {got.reason.text}' if got.reason else ''}"
                return f"no {wanted.form} form of node {name!r} for {wanted.where} ({why}); drop that line"
        return None


NO_OVERRIDES = Overrides()

_SEARCHED = (Code.KEPT_FOR_ACCURACY, Code.KEPT_FOR_SPEED)


def apply_recipe(recipe: Recipe, model: ir.Model, target: Target) -> Overrides:
    """What the rules say of the nodes of a canonical model.

    Raises RecipeError, with FILE:LINE, for a rule that matches nothing or asks for what the target has not.
    """
    decided: dict[str, Reason | Wanted] = {}
    symmetric: dict[str, str] = {}
    per_tensor: dict[str, bool] = {}
    observers: dict[str, str] = {}
    for rule in recipe.rules:
        found = matched_nodes(rule, model)
        names = dict.fromkeys(node.name or "" for node in found)
        _check_possible(rule, found, target)
        for name in names:
            _decide(rule, name, decided)
        if rule.symmetric is not None:
            symmetric = _without(symmetric, names)
            symmetric |= dict.fromkeys(names, rule.at("symmetric")) if rule.symmetric else {}
        if rule.granularity is not None:
            per_tensor |= dict.fromkeys(names, rule.granularity == "per-tensor")
        if rule.observer is not None:
            observers = _without(observers, names) | dict.fromkeys(names, rule.observer)
    return Overrides(
        kept_float={name: what for name, what in decided.items() if isinstance(what, Reason)},
        integer={name: what for name, what in decided.items() if isinstance(what, Wanted)},
        symmetric=symmetric,
        per_tensor=frozenset(name for name, is_so in per_tensor.items() if is_so),
        observers=observers,
    )


def _without(said: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """What was said of other nodes: what is said anew comes last, as the rules are in order."""
    return {name: what for name, what in said.items() if name not in names}


def _decide(rule: Rule, name: str, decided: dict[str, Reason | Wanted]) -> None:
    """Enter what a rule says of where a node computes; `skip = false` takes back what was said before."""
    form = rule.plan[name] if rule.plan is not None else None
    if rule.skip is not None:
        decided.pop(name, None)
        if rule.skip:
            decided[name] = Reason(Code.EXCLUDED, rule.at("skip"))
    elif rule.precision == "float" or form is Form.FLOAT:
        decided[name] = Reason(Code.RECIPE, rule.at("plan" if form else "precision"))
    elif rule.precision is not None or form is not None:
        decided[name] = Wanted(form, rule.at("plan" if form else "precision"))


def _check_possible(rule: Rule, found: Iterable[ir.Node], target: Target) -> None:
    if rule.symmetric is False and target.activation_symmetric:
        raise RecipeError(
            f"no symmetric = false in {rule.at('symmetric')} (target {target.name} has no other codes); drop it"
        )
    if rule.granularity is not None and not any(_has_weight(node, target) for node in found):
        raise RecipeError(
            f"nothing to scale {rule.granularity} in {rule.at('granularity')} "
            f"(no node that the rule matches has a weight whose scales may be chosen); drop it"
        )


def _has_weight(node: ir.Node, target: Target) -> bool:
    entry = target.table.get(node_facts(node).op_type)
    if entry is not None and entry.joins_floats:
        return False  # its kernel takes a scale for each row
    stored = WEIGHT_AXES[node.op_type](node) if node.op_type in WEIGHT_AXES and node.domain == "" else {}
    indexes = {*stored, *(entry.weights if entry is not None else ())}
    return any(index < len(node.inputs) and constant(node.inputs[index]) is not None for index in indexes)
