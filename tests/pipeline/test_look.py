"""The hooks that show the model between two passes."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from qcompile.errors import OutputError
from qcompile.pipeline import Context, Pass, PassResult, Pipeline
from qcompile.pipeline.look import PrintAfter, SaveAfter

MODEL = '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Relu(x) }'


class ToErf(Pass):
    """Makes every op an Erf."""

    name = "to-erf"

    def run(self, model: ir.Model, context: Context) -> PassResult:
        for node in model.graph:
            node.op_type = "Erf"
        return PassResult(1)


class DoNothing(Pass):
    """Leaves the model as it is."""

    name = "do-nothing"

    def run(self, model: ir.Model, context: Context) -> PassResult:
        return PassResult()


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline([("canonicalize", DoNothing()), ("canonicalize", ToErf()), ("canonicalize", DoNothing())])


def test_print_after(pipeline: Pipeline) -> None:
    written: list[str] = []
    pipeline.run(ir.from_onnx_text(MODEL), Context(), [PrintAfter(["do-nothing"], written.append)])
    before, after = written
    assert before.startswith("# after do-nothing\n<")
    assert "Relu (x)" in before
    assert "Erf (x)" in after


def test_save_after_numbers_by_the_passes_that_ran(pipeline: Pipeline, tmp_path: Path) -> None:
    hooks = [SaveAfter("to-erf", tmp_path / "a" / "b"), SaveAfter("do-nothing", tmp_path / "a" / "b")]
    pipeline.run(ir.from_onnx_text(MODEL), Context(), hooks)
    saved = {path.name: onnx.load(path).graph.node[0].op_type for path in (tmp_path / "a" / "b").iterdir()}
    assert saved == {"01-do-nothing.onnx": "Relu", "02-to-erf.onnx": "Erf", "03-do-nothing.onnx": "Erf"}


def test_a_folder_that_cannot_be_made_is_said(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^cannot make folder .*file/inside \(Not a directory\)$"):
        pipeline.run(ir.from_onnx_text(MODEL), Context(), [SaveAfter("to-erf", tmp_path / "file" / "inside")])
