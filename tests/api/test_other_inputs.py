"""Inputs and outputs that are no plain numeric tensors: sequences, optionals, texts, maps, and weights among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

import qcompile
from qcompile import CalibrationError, ModelError

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(64, 64)).astype(np.float32)
HEAD = '<ir_version: 10, opset_import: ["": 21]> g'

SEQUENCE = """(seq(float[N,64]) parts) => (seq(float[M,64]) y)
  { x = ConcatFromSequence <axis = 0> (parts) h = MatMul(x, w) y = SequenceConstruct(h, x) }"""
OPTIONAL = """(float[N,64] x, optional(float[1,64]) hint) => (float[N,64] y) {
  has = OptionalHasElement(hint)
  r = If (has) <
    then_branch = a () => (float[N,64] u) { e = OptionalGetElement(hint) u = Add(x, e) },
    else_branch = b () => (float[N,64] v) { v = Identity(x) }
  >
  y = MatMul(r, w)
}"""
TEXTS = """(float[N,64] x, string[M] words) => (float[N,64] y, string[M] twice) {
  y = MatMul(x, w)
  twice = StringConcat(words, words)
}"""


def x(rows: int = 3) -> np.ndarray:
    return RNG.normal(size=(rows, 64)).astype(np.float32)


def model(graph: str) -> onnx.ModelProto:
    proto = onnx.parser.parse_model(f"{HEAD} {graph}")
    proto.graph.initializer.append(numpy_helper.from_array(WEIGHT, "w"))
    return proto


WORDS = np.array(["one", "größe", ""], object)
CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "sequence": (SEQUENCE, [{"parts": [x(1 + n % 3), x(2)]} for n in range(9)]),
    "optional": (OPTIONAL, [{"x": x(), "hint": x(1) if n % 2 else None} for n in range(9)]),
    "texts": (TEXTS, [{"x": x(), "words": WORDS[: n % 3 + 1]} for n in range(9)]),
}


def in_a_list(samples: list[dict[str, Any]], folder: Path) -> Any:
    return samples


def in_a_generator(samples: list[dict[str, Any]], folder: Path) -> Any:
    return (sample for sample in samples)


def in_an_onnx_folder(samples: list[dict[str, Any]], folder: Path) -> Any:
    for number, sample in enumerate(samples):
        data_set = folder / f"test_data_set_{number}"
        data_set.mkdir()
        for index, (name, value) in enumerate(sample.items()):
            if name == "hint":
                kind = onnx.OptionalProto.UNDEFINED if value is None else onnx.OptionalProto.TENSOR
                proto = numpy_helper.from_optional(value, dtype=kind)
            else:
                proto = numpy_helper.from_list(value) if isinstance(value, list) else numpy_helper.from_array(value)
            (data_set / f"input_{index}.pb").write_bytes(proto.SerializeToString())
    return folder


@pytest.mark.parametrize("form", [in_a_list, in_a_generator, in_an_onnx_folder])
@pytest.mark.parametrize("case", CASES)
def test_passed_through(case: str, form: Callable[..., Any], tmp_path: Path) -> None:
    graph, samples = CASES[case]
    proto = model(graph)
    result = qcompile.compile(proto, calib=form(samples, tmp_path), verify_each=True, format="qoperator")
    assert [node.integer for node in result.operators if node.op_type == "MatMul"] == [True]
    assert result.sqnr_db > 20
    result.save(tmp_path / "out.onnx")
    after = ort.InferenceSession(tmp_path / "out.onnx", providers=["CPUExecutionProvider"])
    before = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [(v.name, v.type) for v in after.get_inputs()] == [(v.name, v.type) for v in before.get_inputs()]
    assert [(v.name, v.type) for v in after.get_outputs()] == [(v.name, v.type) for v in before.get_outputs()]
    assert qcompile.validate(proto, tmp_path / "out.onnx", data=samples).sqnr_db > 20


@pytest.mark.parametrize(("case", "name"), [("sequence", "parts"), ("optional", "hint"), ("texts", "words")])
def test_refused_by_name_without_data(case: str, name: str) -> None:
    with pytest.raises(CalibrationError, match=rf"^no synthetic .*{name}"):
        qcompile.compile(model(CASES[case][0]))


def test_an_array_file_holds_no_sequence(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", parts=x())
    with pytest.raises(CalibrationError, match=r"^wrong form of 'parts' in .*0\.npz \(one array, "):
        qcompile.compile(model(SEQUENCE), calib=tmp_path, format="qoperator")


@pytest.mark.parametrize(
    ("interface", "said"),
    [
        ("(map(int64, float) m) => (float[N] y)", "unusable input 'm' of the model (a map"),
        ("(float[N] m) => (seq(map(int64, float)) y)", "unusable output 'y' of the model (a map"),
    ],
)
def test_maps_are_refused_by_name(interface: str, said: str) -> None:
    proto = onnx.parser.parse_model(f"{HEAD} {interface} {{ y = Identity(m) }}")
    with pytest.raises(ModelError) as raised:
        qcompile.compile(proto)
    assert str(raised.value).startswith(said)


def test_weights_listed_as_inputs_may_be_left_out_of_the_data() -> None:
    """The form of IR version 3: every weight is an input as well, with a default."""
    proto = model("(float[N,64] x, float[64,64] w) => (float[N,64] y) { y = MatMul(x, w) }")
    proto.ir_version = 3
    proto.opset_import[0].version = 8
    result = qcompile.compile(proto, calib=[{"x": x()} for _ in range(8)], format="qoperator")
    assert [(node.op_type, node.integer) for node in result.operators] == [("MatMul", True)]
    assert [value.name for value in result.model.graph.inputs] == ["x"]
    assert qcompile.validate(proto, result.model, data=[{"x": x()}]).sqnr_db > 25
    assert qcompile.bench(proto, result.model, data=[{"x": x()}], rounds=1).speed > 0


def test_an_opset_without_kernels_is_compared_in_a_later_one() -> None:
    """onnxruntime has no kernel for the Add and the Gemm of opset 6, whose broadcasting is an attribute."""
    proto = model(
        """(float[4,64] x, float[64] bias, float[64] c) => (float[4,64] y) {
             b = Add <axis = 1, broadcast = 1> (x, bias) y = Gemm <broadcast = 1> (b, w, c) }"""
    )
    proto.ir_version = 3
    proto.opset_import[0].version = 6
    for name in ("bias", "c"):
        proto.graph.initializer.append(numpy_helper.from_array(np.ones(64, np.float32), name))
    proto.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, (64, 64)))
    result = qcompile.compile(proto, calib=[{"x": x(4)} for _ in range(8)], format="qoperator")
    assert result.sqnr_db > 30
    assert [node.op_type for node in result.operators if node.integer] == ["Gemm"]
