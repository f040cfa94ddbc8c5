"""Plans: decided once, saved, and replayed to the same bytes without calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import qcompile
from qcompile import CompileResult, models, plan
from qcompile.errors import PlanError
from qcompile.ir import to_proto
from qcompile.plan import Decision, Form

Feed = dict[str, np.ndarray]
Compiled = Callable[..., CompileResult]


def content(result: CompileResult) -> bytes:
    return bytes(to_proto(result.model.clone()).SerializeToString(deterministic=True))


def saved(result: CompileResult, folder: Path) -> plan.Plan:
    """The plan as it comes back from its file."""
    assert result.plan is not None
    (folder / "plan.json").write_text(plan.dumps(result.plan), encoding="utf-8")
    return plan.load(folder / "plan.json")


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("format_", ["qoperator", "qdq"])
def test_the_same_bytes(
    name: str, format_: str, compiled: Compiled, shipped_feeds: Callable[..., list[Feed]], tmp_path: Path
) -> None:
    first = compiled(name, format=format_)
    again = qcompile.compile(models.path(name), calib=shipped_feeds(name, 1), plan=saved(first, tmp_path))
    assert content(again) == content(first)
    assert again.plan == first.plan


def test_nothing_is_calibrated(compiled: Compiled, tmp_path: Path) -> None:
    """Also without data: samples that are made up check the result, and there is nothing to warn of."""
    phases: list[str] = []
    first = compiled("residual")
    again = qcompile.compile(
        models.path("residual"),
        plan=saved(first, tmp_path),
        progress=lambda phase, done, total: phases.append(phase),
        format="qoperator",
    )
    assert "calibrate" not in phases
    assert not any(step.stage == "observe" for step in again.trace.steps)
    assert again.warnings == ()
    assert content(again) == content(first)


def test_a_plan_of_another_model(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(
        PlanError, match=r"^plan does not fit the model \(it has no node '.+'\); save one from"
    ) as caught:
        qcompile.compile(models.path("depthwise"), plan=saved(compiled("residual"), tmp_path), format="qoperator")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"format": "qdq"}, r"^plan is for format qoperator, not qdq; ask for"),
        ({"target": "xnnpack"}, r"^plan is for target cpu, not xnnpack; ask for"),
    ],
)
def test_a_plan_for_something_else(asked: dict[str, str], said: str, compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=said):
        qcompile.compile(models.path("residual"), plan=saved(compiled("residual"), tmp_path), **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [{"exclude": ["."]}, {"exclude": "."}, {"observer": "mse"}])
def test_a_plan_leaves_nothing_to_decide(asked: dict[str, Any], conv_net: onnx.ModelProto) -> None:
    (option,) = asked
    said = {"exclude": "exclude", "observer": "observe"}[option]
    with pytest.raises(PlanError, match=rf"^a plan leaves nothing to {said} \(.*\); drop one$"):
        qcompile.compile(conv_net, plan=plan.Plan("cpu"), **asked)


def test_the_order_of_the_entries_does_not_matter(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    """Neither for the bytes of the result nor for how it is told."""
    first = qcompile.compile(conv_net, calib=conv_feeds, exclude=["second"], format="qoperator")
    assert first.plan is not None
    turned = replace(
        first.plan,
        nodes=dict(reversed(first.plan.nodes.items())),
        values=dict(reversed(first.plan.values.items())),
        weights=dict(reversed(first.plan.weights.items())),
        bias_shifts={"first": (0.5,) * 8},
    )
    given = replace(first.plan, bias_shifts={"first": (0.5,) * 8})
    results = [qcompile.compile(conv_net, calib=conv_feeds, plan=one, format="qoperator") for one in (given, turned)]
    assert content(results[0]) == content(results[1])
    assert results[1].plan is not None
    assert list(results[1].plan.nodes) == list(first.plan.nodes)


def test_a_plan_that_was_edited(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    """A node made float in the plan stays float, and the rest goes on."""
    first = qcompile.compile(conv_net, calib=conv_feeds, format="qoperator")
    assert first.plan is not None
    edited = replace(first.plan, nodes=first.plan.nodes | {"second": Decision(Form.FLOAT)})
    again = qcompile.compile(conv_net, calib=conv_feeds, plan=edited, format="qoperator")
    assert [node.op_type for node in again.model.graph if node.name == "second"] == ["Conv"]
    assert any(node.op_type == "QLinearConv" for node in again.model.graph)
