"""Inspecting a model from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("folder")


def test_one_screen(qcompile_: Run) -> None:
    result = qcompile_("inspect", "model.onnx")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0].startswith("model.onnx: ")
    assert "would compute on integers" in lines[0]
    assert lines[1].startswith("input     image: float")
    assert lines[2].startswith("output    logits: float")
    assert any(line.split() == ["BatchNormalization", "9", "0", "folded", "away"] for line in lines)
    assert any(line.split()[0] == "Conv" for line in lines)
    assert len(lines) <= 24


def test_json_says_the_same(qcompile_: Run) -> None:
    facts = json.loads(qcompile_("inspect", "model.onnx", "--json", "-").stdout)
    assert facts["size"] == Path("model.onnx").stat().st_size
    assert facts["quantized"] is None
    convolutions = next(op for op in facts["ops"] if op["op_type"] == "Conv")
    assert convolutions["count"] == convolutions["integer"] > 0


def test_quantized_model_is_recognised(qcompile_: Run) -> None:
    assert qcompile_("model.onnx", "--calib", "data", "-q").exit_code == 0
    assert "quantized already (QOperator)" in qcompile_("inspect", "model.int8.onnx").stdout


def test_unknown_target(qcompile_: Run) -> None:
    result = qcompile_("inspect", "model.onnx", "--target", "toaster")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no target 'toaster'; there are cpu, ")
    assert result.stderr.count("\n") == 1
