"""Facts: counts, shares, groups of reasons, budgets, and JSON that any reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from qcompile import __version__
from qcompile.plan import Code, Reason
from qcompile.report.data import CompileFacts, as_json, budget_miss, compile_facts, inspect_facts, validate_facts

Make = Callable[..., Any]


def facts_of(result: Any) -> CompileFacts:
    return compile_facts(result, model="m.onnx", output="m.int8.onnx", min_sqnr=None, then="qcompile validate")


def test_nodes_and_multiply_adds_are_counted(compiled: Make) -> None:
    facts = facts_of(compiled())
    assert (facts.nodes.integer, facts.nodes.total) == (28, 31)
    assert (facts.multiply_adds.integer, facts.multiply_adds.total) == (27_000_000, 27_050_000)


def test_reasons_are_grouped_by_code_largest_first(compiled: Make) -> None:
    groups = facts_of(compiled()).stayed_float
    assert [(group.code, [node.name for node in group.nodes]) for group in groups] == [
        ("no-integer-kernel", ["softmax_1", "erf_2"]),
        ("excluded", ["head"]),
    ]
    assert [node.detail for node in groups[0].nodes] == ["Softmax", "Erf"]
    assert groups[1].hint == "drop the option that names it"


def test_what_the_runtime_quantized_is_kept_apart(compiled: Make, make: Make) -> None:
    node = make("Node")("gap", "GlobalAveragePool", True, 0, Reason(Code.RUNTIME_QUANTIZED))
    facts = facts_of(compiled(operators=(node,)))
    assert not facts.stayed_float
    assert [group.code for group in facts.quantized_unasked] == ["runtime-quantized"]


def test_outputs_come_worst_first_and_nan_is_the_worst(compiled: Make, make: Make) -> None:
    outputs = [make("Fidelity")(name, sqnr) for name, sqnr in [("a", 30.0), ("b", math.nan), ("c", math.inf), ("d", 5)]]
    facts = facts_of(compiled(fidelity=tuple(outputs)))
    assert [output.name for output in facts.fidelity] == ["b", "d", "a", "c"]
    assert facts_of(compiled(fidelity=())).sqnr_db is None


def test_json_holds_every_fact_and_no_word_that_json_lacks(compiled: Make, make: Make) -> None:
    outputs = tuple(make("Fidelity")(name, float(name)) for name in ("nan", "inf", "-inf"))
    data = as_json(facts_of(compiled(fidelity=outputs)))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["qcompile"] == __version__
    assert [entry["sqnr_db"] for entry in data["fidelity"]] == ["NaN", "-Infinity", "Infinity"]
    assert math.isinf(float(data["fidelity"][2]["sqnr_db"]))
    assert data["passes"][1] == {
        "stage": "lower",
        "name": "fuse-qgemm",
        "seconds": 0.001,
        "changes": 0,
        "declined": [["head", "a rewrite saw its pattern but declined (alpha is 2)"]],
    }


@pytest.mark.parametrize(
    ("min_sqnr", "min_agreement", "misses"),
    [
        (None, None, []),
        (21.5, 0.99, []),
        (30, None, ["SQNR of output 'boxes' is 21.5 dB, below 30 dB"]),
        (30, 0.999, ["SQNR of output 'boxes' is 21.5 dB, below 30 dB", "agreement is 99.5%, below 99.9%"]),
    ],
)
def test_validation_is_held_against_what_was_asked_for(
    make: Make, min_sqnr: float | None, min_agreement: float | None, misses: list[str]
) -> None:
    report = make("Validated")((make("Fidelity")("logits", 38.0, agreement=0.995), make("Fidelity")("boxes", 21.5)))
    facts = validate_facts(report, reference="a", candidate="b", min_sqnr=min_sqnr, min_agreement=min_agreement)
    assert list(facts.misses) == misses
    assert (facts.sqnr_db, facts.agreement) == (21.5, 0.995)


def test_nan_misses_every_budget(make: Make) -> None:
    report = make("Validated")((make("Fidelity")("y", math.nan),))
    facts = validate_facts(report, reference="a", candidate="b", min_sqnr=-100, min_agreement=0)
    assert len(facts.misses) == 2


def test_inspection_counts_by_op(make: Make) -> None:
    inspection = make("Inspected")(make("NODES"), {"Conv": 27, "Gemm": 1, "Softmax": 1, "Erf": 1, "Relu": 1})
    facts = inspect_facts(inspection, model="m.onnx", target="cpu")
    assert [(op.op_type, op.count, op.integer) for op in facts.ops] == [
        ("Conv", 27, 27),
        ("Erf", 1, 0),
        ("Gemm", 1, 0),
        ("Relu", 1, 1),
        ("Softmax", 1, 0),
    ]
    assert facts.ops[1].reasons[0].code == "no-integer-kernel"


@pytest.mark.parametrize(
    ("max_loss", "miss"),
    [
        (None, None),
        (1.25, None),
        (1.0, "task.py:accuracy loses 1.25 % (0.79 instead of 0.8), above 1 %"),
    ],
)
def test_the_metric_is_held_against_its_budget(
    max_loss: float | None, miss: str | None, compiled: Make, make: Make
) -> None:
    result = compiled(metric=make("Measured")())
    facts = compile_facts(result, model="m", output="n", max_loss=max_loss, then="")
    assert budget_miss(facts) == miss
    assert as_json(facts)["metric"] == {
        "name": "task.py:accuracy",
        "reference": 0.8,
        "candidate": 0.79,
        "loss_pct": 1.25,
        "max_loss_pct": max_loss,
    }
    report = make("Validated")((make("Fidelity")("logits", 38.0),), metric=make("Measured")())
    assert validate_facts(report, reference="a", candidate="b", max_loss=max_loss).misses == ((miss,) if miss else ())


def test_both_budgets_may_be_missed(compiled: Make, make: Make) -> None:
    result = compiled(metric=make("Measured")())
    facts = compile_facts(result, model="m", output="n", min_sqnr=30, max_loss=0, then="")
    assert (budget_miss(facts) or "").count("; task.py:accuracy loses ") == 1


def test_a_copy_misses_no_budget(compiled: Make) -> None:
    facts = compile_facts(compiled(fidelity=()), model="m", output="n", min_sqnr=30, max_loss=0, then="")
    assert (budget_miss(facts), facts.metric) == (None, None)
