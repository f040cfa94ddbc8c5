"""Validating: two models on the same data, as figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import qcompile
from qcompile import CompileResult, models
from qcompile.errors import CalibrationError, ModelError

Feed = dict[str, np.ndarray]
HEAD = '<ir_version: 10, opset_import: ["": 21]> g'


def scaled(near: float, far: float) -> onnx.ModelProto:
    """A model whose outputs are its input, scaled."""
    text = "(float[N] x) => (float[N] near, float[N] far) { near = Mul(x, a) far = Mul(x, b) }"
    return onnx.parser.parse_model(
        f"{HEAD} {text}".replace("{ near", f"<float a = {{{near}}}, float b = {{{far}}}> {{ near")
    )


@pytest.fixture
def x() -> list[Feed]:
    rng = np.random.default_rng(0)
    return [{"x": rng.normal(size=n).astype(np.float32)} for n in (5, 50, 1)]


def test_a_model_against_itself(x: list[Feed]) -> None:
    report = qcompile.validate(scaled(1, 2), scaled(1, 2), data=x)
    assert report.samples == 3
    assert report.sqnr_db == math.inf
    assert [(o.name, o.cosine, o.max_abs) for o in report.outputs] == [("near", 1.0, 0.0), ("far", 1.0, 0.0)]


def test_the_lowest_output_counts(x: list[Feed]) -> None:
    """SQNR is 10 log10 of signal² over noise²: a tenth off is 20 dB."""
    report = qcompile.validate(scaled(1, 2), scaled(1.01, 2.2), data=x)
    assert [o.sqnr_db for o in report.outputs] == pytest.approx([40, 20], abs=0.01)
    assert report.sqnr_db == report.outputs[1].sqnr_db
    largest = max(float(np.abs(feed["x"]).max()) for feed in x)
    assert report.outputs[1].max_abs == pytest.approx(0.2 * largest, rel=1e-5)


def test_what_was_compiled(shipped_feeds: Callable[..., list[Feed]], compiled: Callable[..., CompileResult]) -> None:
    result = compiled("residual")
    report = qcompile.validate(models.path("residual"), result.model, data=shipped_feeds("residual"))
    assert report.samples == 16
    assert report.sqnr_db > 30
    assert report.agreement == 1.0
    held_back = shipped_feeds("residual")[7::8]
    again = qcompile.validate(models.path("residual"), result.model, data=held_back)
    assert again.outputs == result.fidelity


def test_without_decisions_there_is_no_agreement() -> None:
    net = onnx.parser.parse_model(f"{HEAD} (float[1] x) => (float[1] y) {{ y = Abs(x) }}")
    assert qcompile.validate(net, net, data=[{"x": np.ones(1, np.float32)}]).agreement is None


def test_other_inputs_or_outputs(x: list[Feed], tmp_path: Path) -> None:
    other = scaled(1, 2)
    other.graph.output.reverse()
    for name, model in (("a.onnx", scaled(1, 2)), ("b.onnx", other)):
        onnx.save(model, tmp_path / name)
    with pytest.raises(ModelError, match=r"^outputs differ between .*a\.onnx \('near', 'far'\) and .*b\.onnx \("):
        qcompile.validate(tmp_path / "a.onnx", tmp_path / "b.onnx", data=x)


def test_other_inputs_of_models_in_memory(x: list[Feed]) -> None:
    other = scaled(1, 2)
    other.graph.input[0].name = other.graph.node[0].input[0] = other.graph.node[1].input[0] = "z"
    with pytest.raises(ModelError, match=r"^inputs differ between the model \('x'\) and the model \('z'\); they"):
        qcompile.validate(scaled(1, 2), other, data=x)


def test_other_shapes_of_outputs(x: list[Feed]) -> None:
    text = "(float[N] x) => (float[N, M] near, float[N] far) <int64[2] to = {1, -1}> "
    other = onnx.parser.parse_model(f"{HEAD} {text} {{ near = Reshape(x, to) far = Abs(x) }}")
    with pytest.raises(ModelError, match="near"):
        qcompile.validate(scaled(1, 2), other, data=x)


def test_data_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", y=np.zeros(3, np.float32))
    with pytest.raises(CalibrationError, match=r"^no array for input 'x' in .*0\.npz \(it holds 'y'\)"):
        qcompile.validate(scaled(1, 2), scaled(1, 2), data=tmp_path)
