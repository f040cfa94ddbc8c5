"""Benching: what is measured of which model. No test looks at how long anything took."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest

import qcompile
from qcompile.errors import CalibrationError, ModelError, QCompileError, TargetError

HEAD = '<ir_version: 10, opset_import: ["": 21]> g'
FEEDS = [{"x": np.ones((1, 4), np.float32)}]


def net(body: str, inputs: str = "float[N,4] x") -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} ({inputs}) => (float[N,4] y) {{ {body} }}")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> qcompile.BenchReport:
    path = tmp_path_factory.mktemp("bench") / "two.onnx"
    onnx.save(net("t = Tanh(x) y = Erf(t)"), path)
    one = net("y = Tanh(x)")
    return qcompile.bench(one, path, data=FEEDS, threads=(1, 2), batches=(1, 3), rounds=1)


def test_every_setting_times_the_first_model_twice(report: qcompile.BenchReport) -> None:
    rows = [(t.threads, t.batch, t.model) for t in report.timings]
    assert rows == [(*setting, m) for setting in product((1, 2), (1, 3)) for m in ("fp32", "fp32 again", "int8")]
    assert {t.speed for t in report.timings if t.model == "fp32"} == {1.0}
    assert report.speed == min(t.speed for t in report.timings if t.model == "int8")


def test_figures_have_their_units(report: qcompile.BenchReport) -> None:
    for t in report.timings:
        assert 0 < t.median_ms <= t.p90_ms
        assert 0 < t.slowest_round <= t.speed <= t.quickest_round
        assert t.samples_per_second == pytest.approx(1e3 * t.batch / t.median_ms)


def test_operators_stand_side_by_side(report: qcompile.BenchReport) -> None:
    counts = {op.op_type: (op.fp32_count, op.int8_count) for op in report.ops}
    assert counts == {"Tanh": (1, 1), "Erf": (0, 1)}
    assert next(op.fp32_us for op in report.ops if op.op_type == "Erf") == 0


def test_text_is_run_though_its_memory_is_unknown() -> None:
    text = onnx.parser.parse_model(f"{HEAD} (string[N] x) => (string[N] y) {{ y = Identity(x) }}")
    report = qcompile.bench(text, text, data=[{"x": np.array(["a"], object)}], rounds=1)
    assert report.fp32_memory is None


def test_8_bit_inputs_are_given_codes() -> None:
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.normal(size=(4, 4)).astype(np.float32), "w")
    model = net("y = MatMul(x, w)")
    model.graph.initializer.append(weight)
    feeds = [{"x": rng.normal(size=(1, 4)).astype(np.float32)} for _ in range(8)]
    quantized = qcompile.compile(model, calib=feeds, io_type="quantized", format="qoperator").model
    assert [p.type.dtype.name for p in quantized.graph.inputs if p.type] in (["UINT8"], ["INT8"])
    assert qcompile.bench(model, quantized, data=feeds, rounds=1).ops


def test_what_cannot_be_benched_is_one_line(tmp_path: Path) -> None:
    fixed = onnx.parser.parse_model(f"{HEAD} (float[1,4] x) => (float[1,4] y) {{ y = Tanh(x) }}")
    tanh = net("y = Tanh(x)")
    other = onnx.parser.parse_model(f"{HEAD} (float[N,4] z) => (float[N,4] y) {{ y = Tanh(z) }}")
    onnx.save(fixed, tmp_path / "fixed.onnx")
    cases: list[tuple[type[QCompileError], str, onnx.ModelProto, onnx.ModelProto | Path, dict[str, object]]] = [
        (ModelError, r"^inputs differ between the model \('x'\) and the model \('z'\)", tanh, other, {}),
        (ModelError, r"^no open batch axis to put 2 samples on", fixed, tanh, {"batches": (2,)}),
        (ModelError, r"^cannot time batch 2 of .*fixed\.onnx \(", tanh, tmp_path / "fixed.onnx", {"batches": (1, 2)}),
        (CalibrationError, r"^unknown array 'q' in sample 0|^no array for input 'x'", tanh, tanh, {"data": [{"q": 1}]}),
        (CalibrationError, r"^input_shapes beside data", tanh, tanh, {"input_shapes": {"x": (1, 4)}}),
        (TargetError, r"^threads is 0 ", tanh, tanh, {"threads": (0,)}),
        (TargetError, r"^batches is 8 ", tanh, tanh, {"batches": 8}),
        (TargetError, r"^rounds is 0 ", tanh, tanh, {"rounds": 0}),
        (QCompileError, r"^no custom operator library at ", tanh, tanh, {"custom_op_library": tmp_path / "ops.so"}),
    ]
    for error, said, one, two, options in cases:
        with pytest.raises(error, match=said) as caught:
            qcompile.bench(one, two, **{"data": FEEDS, "rounds": 1} | options)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
