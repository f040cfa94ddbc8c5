"""Rule passes, and the wall around the rewriter: each defect is first shown on the bare library."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnxscript.rewriter import MatchResult, RewriteRule, RewriteRuleClassBase, RewriteRuleSet

from qcompile.ir import nodes
from qcompile.pipeline import Context, RulePass
from qcompile.plan import Code
from qcompile.runtime.session import run_as_written

HEADER = '<ir_version: 10, opset_import: ["": 21]> '
DOUBLE_NEGATION = HEADER + "g (float[2] x) => (float[2] y) { [a] t = Neg(x) [b] y = Neg(t) }"
TWO_RELUS = (
    HEADER + "g (float[2] x) => (float[2] y) <float[2] w = {5, 6}> { [a] t = Relu(x) [b] u = Relu(t) y = Add(u, w) }"
)


class ReturnInput(RewriteRuleClassBase):
    def pattern(self, op: Any, x: Any) -> Any:
        return op.Neg(op.Neg(x))

    def rewrite(self, op: Any, x: Any) -> Any:
        return x


class ReturnIdentity(ReturnInput):
    def rewrite(self, op: Any, x: Any) -> Any:
        return op.Identity(x)


class ReluToMax(RewriteRuleClassBase):
    """Every replacement wants an initializer named w."""

    def pattern(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def rewrite(self, op: Any, x: Any) -> Any:
        return op.Max(x, op.initializer(ir.tensor(np.zeros(2, np.float32)), name="w"))


class ReluToNegatedMin(RewriteRuleClassBase):
    def pattern(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def rewrite(self, op: Any, x: Any) -> Any:
        zero = op.initializer(ir.tensor(np.zeros(2, np.float32)), name="zero")
        return op.Neg(op.Min(op.Neg(x), zero))


class Unwilling(ReluToMax):
    def check(self, op: Any, *args: Any, **kwargs: Any) -> MatchResult:
        return MatchResult().fail("x is not nice")


def bare(rule: type[RewriteRuleClassBase]) -> RewriteRuleSet:
    made: RewriteRule = rule.rule()  # type: ignore[no-untyped-call]
    return RewriteRuleSet([made])


def pass_of(*chosen: type[RewriteRuleClassBase]) -> RulePass:
    class Chosen(RulePass):
        name = "chosen"
        rules = chosen

    return Chosen()


def test_a_rewrite_counts_and_leaves_the_outputs_equal() -> None:
    model = ir.from_onnx_text(DOUBLE_NEGATION)
    assert pass_of(ReturnIdentity).run(model, Context()).changes == 1
    assert [node.op_type for node in model.graph] == ["Identity"]
    x = np.array([1, -2], np.float32)
    np.testing.assert_array_equal(run_as_written(model, {"x": x})[0], x)


def test_a_rule_that_declines_says_why() -> None:
    model = ir.from_onnx_text(TWO_RELUS)
    result = pass_of(Unwilling).run(model, Context())
    assert result.changes == 0
    assert [(name, reason.code) for name, reason in result.declined] == [
        ("a", Code.RULE_DECLINED),
        ("b", Code.RULE_DECLINED),
    ]
    assert result.declined[0][1].detail == "Unwilling: x is not nice"


def test_wall_1_a_rule_that_returns_its_input_is_refused() -> None:
    model = ir.from_onnx_text(DOUBLE_NEGATION)
    bare(ReturnInput).apply_to_model(model)
    assert [value.name for value in model.graph.inputs] == ["y"], "repaired: the input kept its name"
    with pytest.raises(ValueError, match="rule ReturnInput returns a value that it did not make"):
        pass_of(ReturnInput).run(ir.from_onnx_text(DOUBLE_NEGATION), Context())


def test_wall_2_an_initializer_under_a_taken_name_gets_a_fresh_one() -> None:
    model = ir.from_onnx_text(TWO_RELUS)
    bare(ReluToMax).apply_to_model(model)
    assert len(model.graph.initializers) == 1, "repaired: three weights are registered"

    model = ir.from_onnx_text(TWO_RELUS)
    pass_of(ReluToMax).run(model, Context())
    assert sorted(model.graph.initializers) == ["w", "w_1", "w_2"]
    np.testing.assert_array_equal(run_as_written(model, {"x": np.array([-1, 1], np.float32)})[0], [5, 7])


def test_wall_3_the_name_of_the_replaced_node_is_carried_over() -> None:
    model = ir.from_onnx_text(TWO_RELUS)
    bare(ReluToNegatedMin).apply_to_model(model)
    assert {"a", "b"}.isdisjoint(node.name for node in model.graph), "repaired: new nodes have the old names"

    model = ir.from_onnx_text(TWO_RELUS)
    pass_of(ReluToNegatedMin).run(model, Context())
    names = [node.name for node in nodes(model) if node.op_type != "Add"]
    assert names == ["a_Neg", "a_Min", "a", "b_Neg", "b_Min", "b"]


def test_wall_4_a_rule_whose_root_the_model_lacks_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[RewriteRule] = []
    original = RewriteRule.try_rewrite

    def counted(rule: RewriteRule, *args: Any, **kwargs: Any) -> Any:
        tried.append(rule)
        return original(rule, *args, **kwargs)

    monkeypatch.setattr(RewriteRule, "try_rewrite", counted)
    model = ir.from_onnx_text(TWO_RELUS)
    bare(ReturnIdentity).apply_to_model(model)
    assert len(tried) == len(model.graph), "repaired: the library looks at the operators first"
    tried.clear()
    pass_of(ReturnIdentity).run(model, Context())
    assert not tried


def test_rules_that_feed_each_other_run_again() -> None:
    class AbsToRelus(RewriteRuleClassBase):
        def pattern(self, op: Any, x: Any) -> Any:
            return op.Abs(x)

        def rewrite(self, op: Any, x: Any) -> Any:
            return op.Add(op.Relu(x), op.Relu(op.Neg(x)))

    class Again(RulePass):
        name = "again"
        rules = (ReluToMax, AbsToRelus)
        again = True

    model = ir.from_onnx_text(HEADER + "g (float[2] x) => (float[2] y) { [a] y = Abs(x) }")
    Again().run(model, Context())
    assert sorted(node.op_type for node in model.graph) == ["Add", "Max", "Max", "Neg"]
    np.testing.assert_array_equal(run_as_written(model, {"x": np.array([-3, 2], np.float32)})[0], [3, 2])


def test_in_a_body_rules_apply_too() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x, bool c) => (float[2] y) { [choose] y = If(c) <"
        "then_branch = yes () => (float[2] z) { [a] t = Neg(x) [b] z = Neg(t) },"
        "else_branch = no () => (float[2] z2) { [o] z2 = Abs(x) }> }"
    )
    assert pass_of(ReturnIdentity).run(model, Context()).changes == 1
    assert [node.op_type for node in nodes(model)] == ["If", "Identity", "Abs"]
