"""Sources: a model from anywhere, in any order, of any name; and models that are handed on as they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

import qcompile
from qcompile import CompileResult
from qcompile.errors import CalibrationError, ModelError
from qcompile.ir import Source, to_proto

Feed = dict[str, np.ndarray]
Compiled = Callable[..., CompileResult]


def session(model: ir.Model | Path) -> ort.InferenceSession:
    content = model.read_bytes() if isinstance(model, Path) else to_proto(model.clone()).SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def graph_bytes(result: CompileResult) -> bytes:
    return bytes(to_proto(result.model.clone()).SerializeToString(deterministic=True))


# What may come in.


def test_batch_sizes_and_shapes_differ_from_feed_to_feed(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, format="qoperator")
    assert all(node.integer for node in result.operators)
    before, after = ort.InferenceSession(conv_net.SerializeToString()), session(result.model)
    for feed in conv_feeds:
        (old,), (new,) = before.run(None, feed), after.run(None, feed)
        assert old.shape == new.shape
        assert np.abs(old - new).max() < 0.05 * np.ptp(old)


NAMES = {"x": "input:0", "h": "layer/first: sum", "r": "größe ü", "y": "层/输出:0", "w1": "w 1:0", "w2": "w/2"}
NODES = {"first": "block one/conv:0", "relu": "ünï", "second": "/层/conv 2"}


@pytest.mark.parametrize("format_", ["qoperator", "qdq"])
def test_a_name_is_a_name(format_: str, conv_net: onnx.ModelProto, conv_feeds: list[Feed], tmp_path: Path) -> None:
    for node in conv_net.graph.node:
        node.name = NODES[node.name]
        node.input[:] = [NAMES.get(name, name) for name in node.input]
        node.output[:] = [NAMES.get(name, name) for name in node.output]
    for named in (*conv_net.graph.input, *conv_net.graph.output, *conv_net.graph.initializer):
        named.name = NAMES.get(named.name, named.name)
    feeds = [{NAMES["x"]: feed["x"]} for feed in conv_feeds]
    result = qcompile.compile(conv_net, calib=feeds, format=format_, verify_each=True, exclude=["^/层/"])
    result.save(tmp_path / "größe 层.onnx")
    net = session(tmp_path / "größe 层.onnx")
    assert [value.name for value in net.get_inputs()] == [NAMES["x"]]
    assert [value.name for value in net.get_outputs()] == [NAMES["y"]]
    assert [(node.name, node.integer) for node in result.operators] == [
        (NODES["first"], True),
        (NODES["relu"], True),
        (NODES["second"], False),
    ]
    assert set(NODES.values()) - {NODES["relu"]} <= {node.name for node in result.model.graph}


@pytest.mark.parametrize("kind", ["proto", "onnx_ir", "path"])
def test_the_source_is_not_changed(
    kind: str, conv_net: onnx.ModelProto, conv_feeds: list[Feed], tmp_path: Path
) -> None:
    before = conv_net.SerializeToString(deterministic=True)
    (tmp_path / "model.onnx").write_bytes(before)
    given = ir.from_proto(conv_net)
    sources: dict[str, Source] = {"proto": conv_net, "onnx_ir": given, "path": tmp_path / "model.onnx"}
    expected = ir.to_proto(given).SerializeToString(deterministic=True)
    qcompile.compile(sources[kind], calib=conv_feeds, format="qoperator")
    assert conv_net.SerializeToString(deterministic=True) == before
    assert ir.to_proto(given).SerializeToString(deterministic=True) == expected
    assert (tmp_path / "model.onnx").read_bytes() == before


def test_nodes_may_come_in_any_order(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    """As the runtime takes them."""
    expected = graph_bytes(qcompile.compile(conv_net, calib=conv_feeds, format="qoperator"))
    conv_net.graph.node.reverse()
    assert graph_bytes(qcompile.compile(conv_net, calib=conv_feeds, format="qoperator")) == expected


def test_nan_in_a_weight_of_any_source(conv_net: onnx.ModelProto) -> None:
    conv_net.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.full((8, 4, 3, 3), np.nan, np.float32), "w1")
    )
    for source in (conv_net, ir.from_proto(conv_net)):
        with pytest.raises(ModelError, match=r"^NaN in weight 'w1' of the model; "):
            qcompile.compile(source)


def test_all_kinds_of_source_give_the_same(conv_net: onnx.ModelProto, conv_feeds: list[Feed], tmp_path: Path) -> None:
    onnx.save(conv_net, tmp_path / "model.onnx")
    sources: list[Source] = [conv_net, ir.from_proto(conv_net), tmp_path / "model.onnx", str(tmp_path / "model.onnx")]
    assert len({graph_bytes(qcompile.compile(source, calib=conv_feeds, format="qoperator")) for source in sources}) == 1


def test_no_samples(conv_net: onnx.ModelProto) -> None:
    empty: Sequence[Feed] = []
    with pytest.raises(CalibrationError, match=r"^no samples in"):
        qcompile.compile(conv_net, calib=empty, format="qoperator")


# Models that are handed on as they came.

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
QUANTIZED = {
    "QDQ": "(float[8] x) => (float[8] y) <float s = {0.1}, uint8 z = {9}> "
    "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
    "QOperator": "(uint8[8] x) => (uint8[8] y) <float s = {0.1}, uint8 z = {9}> "
    "{ y = com.microsoft.QLinearAdd(x, s, z, x, s, z, s, z) }",
    "dynamic": "(float[2,2] x) => (int32[2,2] y) <uint8[2,2] w = {1, 2, 3, 4}> "
    "{ q, s, z = DynamicQuantizeLinear(x) y = MatMulInteger(q, w, z) }",
}


@pytest.mark.parametrize("form", QUANTIZED)
@pytest.mark.parametrize("calib", [None, [{"any": np.zeros(3)}]], ids=["no data", "any data"])
def test_a_quantized_model_is_copied(form: str, calib: list[Feed] | None, tmp_path: Path) -> None:
    path = tmp_path / "in.onnx"
    onnx.save(onnx.parser.parse_model(f"{HEAD} g {QUANTIZED[form]}"), path)
    result = qcompile.compile(path, calib=calib, format="qoperator")
    result.save(tmp_path / "out.onnx")
    assert (result.status, result.warnings) == ("already-quantized", (f"the model is quantized already ({form} form)",))
    assert (tmp_path / "out.onnx").read_bytes() == path.read_bytes()
    assert (result.plan, result.stayed_float, result.size_after) == (None, [], path.stat().st_size)


def test_what_was_compiled_is_not_compiled_again(compiled: Compiled, tmp_path: Path) -> None:
    for format_ in ("qoperator", "qdq"):
        compiled("residual", format=format_).save(tmp_path / "once.onnx")
        result = qcompile.compile(tmp_path / "once.onnx")
        result.save(tmp_path / "twice.onnx")
        assert result.status == "already-quantized"
        assert (tmp_path / "twice.onnx").read_bytes() == (tmp_path / "once.onnx").read_bytes()


def test_nothing_to_quantize_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "in.onnx"
    onnx.save(onnx.parser.parse_model(f"{HEAD} g (float[N] x) => (float[N] y) {{ t = Erf(x) y = Neg(t) }}"), path)
    result = qcompile.compile(path)
    result.save(tmp_path / "out.onnx")
    assert result.status == "nothing-to-quantize"
    assert (tmp_path / "out.onnx").read_bytes() == path.read_bytes()
    assert len(result.warnings) == 1
