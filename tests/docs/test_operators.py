"""Rule: docs/operators.md is what the tables say, and the passes and operators that it names exist."""

from __future__ import annotations

import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from benchmarks.operator_table import CONTRIB_OPS, DOCUMENT, OPSET, REWRITTEN, Operator, document, row, standard
from qcompile.pipeline import Pipeline
from qcompile.targets import find_target


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < OPSET, reason=f"this onnx does not know opset {OPSET}")
def test_the_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run: python benchmarks/operator_table.py"


def test_the_passes_that_it_names_exist() -> None:
    named = {name for names in REWRITTEN.values() for name in names}
    assert named <= {step.name for step in Pipeline.default()}


def test_the_runtime_has_the_operators_that_are_listed() -> None:
    known = {schema.name for schema in get_all_operator_schema() if schema.domain == "com.microsoft"}
    assert set(CONTRIB_OPS) <= known


def test_every_operator_of_the_target_is_listed() -> None:
    assert set(find_target("cpu").table) <= {operator.name for operator in standard()}


@pytest.mark.parametrize(
    ("operator", "line"),
    [
        (Operator("GlobalAveragePool"), "| GlobalAveragePool | quantized: integer | fuse-qlinear-pool | |"),
        (Operator("Reshape"), "| Reshape | moves 8-bit values | move-integers | |"),
        (Operator("GRU"), "| GRU | float, weights stored in 8 bits | store-weights | no integer kernel |"),
        (Operator("If", has_bodies=True), "| If | control flow, its bodies are compiled | | |"),
        (Operator("And", makes_floats=False), "| And | as it is | | computes no floats |"),
        (Operator("Dropout"), "| Dropout | rewritten where possible, else float | remove-noops | no integer kernel |"),
        (Operator("com.microsoft.QLinearAdd"), "| com.microsoft.QLinearAdd | integers already | | the model is h"),
        (Operator("org.example.Reshape"), "| org.example.Reshape | float | | no integer kernel |"),
    ],
    ids=lambda value: value.name if isinstance(value, Operator) else "",
)
def test_rows(operator: Operator, line: str) -> None:
    assert str(row(operator)).startswith(line)
