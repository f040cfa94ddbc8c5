"""Passes made of onnxscript rewrite rules, and the wall around that rewriter's defects.

Walled off here, each held by a test that would notice its repair:
1. a rule that returns one of its inputs renames that value, graph inputs included: refused, return an Identity;
2. an initializer under a taken name overwrites the old one: given a fresh name;
3. new nodes lose the name of the node that they replace: the name is carried over;
4. every rule is tried on every node: rules whose root op the model lacks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import onnx_ir as ir
from onnxscript.rewriter import RewriteRule, RewriteRuleClassBase, RewriteRuleSet

from qcompile.ir import Names, declare, nodes, remove_dead
from qcompile.pipeline.context import Context
from qcompile.pipeline.passes import Pass, PassResult
from qcompile.plan import Code, Reason


class RulePass(Pass):
    """A pass that applies rewrite rules; a rule that sees its pattern but declines (`check`) leaves a Reason.

    `rules` lists rule classes, tried in order on every node; `again` repeats until nothing matches, for rules whose
    results feed each other. The replacement of a node keeps the name of the matched node with the same op, or else
    the name of the pattern's last node.
    """

    rules: ClassVar[tuple[type[RewriteRuleClassBase], ...]]
    again: ClassVar[bool] = False

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Apply the rules to the model and its bodies."""
        names = Names(model)
        rules = [_GuardedRule(_make_rule(rule), names) for rule in self.rules]
        total = changes = _apply(rules, model)
        while changes and self.again:
            changes = _apply(rules, model)
            total += changes
        if total:
            remove_dead(model)
            declare(model)
        return PassResult(total, tuple(dict.fromkeys(entry for rule in rules for entry in rule.declined)))


def _apply(rules: Sequence[_GuardedRule], model: ir.Model) -> int:
    """One walk with the rules that can match; a walk may have made the op that another rule waits for."""
    present = {node.op_type for node in nodes(model)}
    live = [rule for rule in rules if rule.root_op is None or rule.root_op in present]
    return int(RewriteRuleSet(live).apply_to_model(model)) if live else 0


def _make_rule(rule_class: type[RewriteRuleClassBase]) -> RewriteRule:
    return rule_class.rule()  # type: ignore[no-untyped-call, no-any-return]


class _GuardedRule(RewriteRule):
    """A rule behind the wall."""

    def __init__(self, rule: RewriteRule, names: Names) -> None:
        self.__dict__.update(rule.__dict__)
        self.declined: list[tuple[str, Reason]] = []
        self._names = names
        self._check = self._condition_function
        self._condition_function = self._checked

    @property
    def root_op(self) -> str | None:
        """Op type of the pattern's last node, or None if the pattern leaves it open."""
        outputs = self._target_pattern.output_nodes
        identifier = outputs[0].op_identifier() if len(outputs) == 1 else None
        return identifier[1] if identifier else None

    def _checked(self, context: Any, **bindings: Any) -> Any:
        result = self._check(context, **bindings)
        if not result:
            why = str(getattr(result, "reason", "") or "condition not met")
            self.declined.append((context.root.name or "", Reason(Code.RULE_DECLINED, f"{self.name}: {why}")))
        return result

    def try_rewrite(self, *args: Any, **kwargs: Any) -> Any:
        delta = super().try_rewrite(*args, **kwargs)
        if delta is None:
            return None
        made = {output for node in delta.new_nodes for output in node.outputs}
        if any(output not in made for output in delta.new_outputs):
            raise ValueError(f"rule {self.name} returns a value that it did not make; return op.Identity(value)")
        for value in delta.new_initializers:
            value.name = self._names.value(value.name or "constant")
            if value.const_value is not None:
                value.const_value.name = value.name
        self._name_nodes(delta.match.nodes, delta.new_nodes)
        return delta

    def _name_nodes(self, old: Sequence[ir.Node], new: Sequence[ir.Node]) -> None:
        free = {node.op_type: node.name for node in old if node.name}
        last = old[0].name if old else None
        for node in new:
            node.name = free.pop(node.op_type, None) or node.name
        if new and new[-1].name is None and last not in {node.name for node in new}:
            new[-1].name = last
        for node in new:
            node.name = node.name or self._names.node(f"{last}_{node.op_type}")
