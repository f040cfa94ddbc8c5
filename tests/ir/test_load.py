"""Every model that cannot be used ends in one line that names what is wrong, and with what."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from qcompile.errors import ModelError, QCompileError
from qcompile.ir import Source, constant, load_model

HEAD = '<ir_version: 10, opset_import: ["": 21]>'
GOOD = HEAD + "g (float[2] x) => (float[2] y) <float[2] w = {1.0, 2.0}> { y = Add(x, w) }"
BRANCH = (
    HEAD
    + """g (bool c, float[2] x) => (float[2] y) {
      h = Relu(x)
      y = If (c) <
        then_branch = yes () => (float[2] a) <float[2] w = {1.0, 2.0}> { a = Add(THEN, w) },
        else_branch = no () => (float[2] b) { b = Constant <value = float[2] {3.0, 4.0}> () }
      >
    }"""
)


def line(source: Source) -> str:
    """The one line that the model ends in."""
    with pytest.raises(ModelError) as caught:
        load_model(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def proto(text: str = GOOD) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def test_a_good_model_loads_from_everything(tmp_path: Path) -> None:
    path = tmp_path / "good.onnx"
    path.write_bytes(proto().SerializeToString())
    sources: list[Source] = [path, str(path), proto(), ir.from_onnx_text(GOOD)]
    assert {str(load_model(source).graph.node(0).op_type) for source in sources} == {"Add"}


def test_the_source_is_not_changed() -> None:
    given_proto, given_model = proto(), ir.from_onnx_text(GOOD)
    load_model(given_proto).graph.node(0).op_type = "Sub"
    load_model(given_model).graph.node(0).op_type = "Sub"
    assert given_proto == proto()
    assert given_model.graph.node(0).op_type == "Add"


@pytest.mark.parametrize("source", [5, None, b"model", ["model.onnx"]])
def test_what_is_no_source(source: Any) -> None:
    assert re.search(rf"^no model in a {type(source).__name__} \(", line(source))


# What is no graph in memory.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "g (float[2] x) => (float[2] y) { [n] y = Add(x, lost) }",
            "dangling value 'lost' in the model (read by node 'n'",
        ),
        ("g (float[2] x) => (float[2] z) { y = Relu(x) }", "dangling output 'z' in the model (made by nobody)"),
        (BRANCH.removeprefix(HEAD).replace("THEN", "lost"), "dangling value 'lost' in the model (read by node"),
        (BRANCH.removeprefix(HEAD).replace("THEN", "b"), "dangling value 'b' in the model (read by node"),
    ],
)
def test_values_that_nobody_makes(text: str, said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ir.from_onnx_text(HEAD + text)
    assert line(model).startswith(said)


def test_nodes_out_of_order() -> None:
    model = ir.from_onnx_text(HEAD + "g (float[2] x) => (float[2] y) { h = Relu(x) [late] y = Abs(h) }")
    first = model.graph.node(0)
    model.graph.remove(first)
    model.graph.append(first)
    assert line(model).startswith("unsorted graph in the model (node 'late' reads 'h' before it is made); sort it")


# What is no file of a model.


def test_missing_file(tmp_path: Path) -> None:
    assert re.search(r"^no model in .*nowhere\.onnx \(No such file", line(tmp_path / "nowhere.onnx"))


def test_folder(tmp_path: Path) -> None:
    assert re.search(rf"^no model in {re.escape(str(tmp_path))} \(it is a folder\)", line(tmp_path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no graph in"),
        (b"\x93NUMPY\x01\x00 not a model", "no readable ONNX model in"),
        (b"# A text file\n", "no readable ONNX model in"),
        (bytes(np.random.default_rng(0).integers(0, 256, 4096, np.uint8)), "no readable ONNX model in"),
        (proto().SerializeToString()[:-5], "no readable ONNX model in"),
        (onnx.ModelProto(ir_version=10).SerializeToString(), "no graph in"),
    ],
    ids=["empty", "numpy", "text", "random", "truncated", "no graph"],
)
def test_file_without_a_model(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    assert re.search(rf"^{said} .*bad\.onnx \(", line(str(tmp_path / "bad.onnx")))


# What is no graph.


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("g (float[2] x) => (float[2] x) { }", r"^empty graph in the model"),
        ("g (float[2] x) => () { y = Relu(x) }", r"^no outputs in the model"),
        ("g (float[2] x) => (float[2] y) { y = Add(x, lost) }", r"^dangling value 'lost' .*read by node"),
        ("g (float[2] x) => (float[2] z) { y = Relu(x) }", r"^dangling output 'z'"),
        ("g (float[2] x) => (float[2] y) { y = Relu(x) y = Abs(x) }", r"^duplicate value 'y'"),
        ("g (float[2] x) => (float[2] y) { x = Relu(x) y = Abs(x) }", r"^duplicate value 'x'"),
        ("g (float[2] x, float[2] x) => (float[2] y) { y = Abs(x) }", r"^duplicate value 'x'"),
        ("g (float[1] x) => (float[1] y) <float[1] y = {1.0}> { y = Abs(x) }", r"^duplicate value 'y'"),
        (
            "g (float[1] x) => (float[1] y) <float[1] w = {1.0}, float[1] w = {2.0}> { y = Add(x, w) }",
            r"^duplicate initializer 'w'",
        ),
    ],
)
def test_broken_graph(graph: str, said: str) -> None:
    assert re.search(said, line(proto(HEAD + graph)))


def test_no_opset() -> None:
    model = proto()
    del model.opset_import[:]
    assert line(model).startswith("no opset_import for the standard domain in the model (")


def test_a_body_that_captures_nothing_there_is() -> None:
    assert re.search(r"^dangling value 'lost' in the model \(read by node", line(proto(BRANCH.replace("THEN", "lost"))))


def test_a_body_may_capture() -> None:
    assert load_model(proto(BRANCH.replace("THEN", "h"))).graph.node(1).op_type == "If"


def test_nodes_in_any_order_load() -> None:
    model = load_model(proto(HEAD + "g (float[2] x) => (float[2] y) { y = Relu(t) t = Abs(x) }"))
    assert {node.op_type for node in model.graph} == {"Relu", "Abs"}


def test_sparse_initializer() -> None:
    model = proto()
    values = onnx.helper.make_tensor("s", onnx.TensorProto.FLOAT, [1], [1.0])
    indices = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [2]))
    assert re.search(r"^sparse initializer 's' in the model", line(model))


# Weights that are no numbers.


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("where", ["weight", "constant"])
def test_nan(where: str, dtype: type) -> None:
    model = proto(BRANCH.replace("THEN", "h"))
    then, other = (attribute.g for attribute in model.graph.node[1].attribute)
    bad = ir.to_proto(ir.tensor(np.array([1.0, np.nan], dtype), name="w"))
    if where == "weight":
        then.initializer[0].CopyFrom(bad)
        assert line(model).startswith("NaN in weight 'w' of the model; ")
    else:
        other.node[0].attribute[0].t.CopyFrom(bad)
        assert line(model).startswith("NaN in constant 'b' of the model; ")


def test_nan_as_a_float_attribute() -> None:
    model = proto(HEAD + "g (float[2] x) => (float[2] y) { c = Constant <value_float = 1.0> () y = Add(x, c) }")
    model.graph.node[0].attribute[0].f = float("nan")
    assert line(model).startswith("NaN in constant 'c' of the model; ")


def test_infinity_is_no_nan() -> None:
    model = proto()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([0, -np.inf], np.float32), "w"))
    assert load_model(model).graph.num_nodes() == 1


@pytest.mark.parametrize("raw", [b"", b"\0" * 3, b"\0" * 16])
def test_weight_with_the_wrong_number_of_bytes(raw: bytes) -> None:
    model = proto()
    model.graph.initializer[0].ClearField("float_data")
    model.graph.initializer[0].raw_data = raw
    assert re.search(r"weight 'w' of the model", line(model))


def test_weight_of_a_type_that_does_not_exist() -> None:
    model = proto()
    model.graph.initializer[0].data_type = 99
    assert re.search(r"the model", line(model))


# Bytes that went wrong on their way: an error of ours, or a model.

DAMAGED = proto(BRANCH.replace("THEN", "h")).SerializeToString()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@settings(deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8), kept=st.integers(0, 10_000))
@example(flips=[], kept=0)
def test_damaged_bytes(fuzzed: Path, flips: list[tuple[int, int]], kept: int) -> None:
    content = bytearray(DAMAGED)
    for position, byte in flips:
        content[position % len(content)] = byte
    check_said(bytes(content[: max(kept, 1)]), fuzzed)


@settings(deadline=None)
@given(position=st.integers(0, 10_000), extra=st.binary(max_size=12))
def test_bytes_put_in(fuzzed: Path, position: int, extra: bytes) -> None:
    at = position % len(DAMAGED)
    check_said(DAMAGED[:at] + extra + DAMAGED[at:], fuzzed)


def check_said(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        said = f"{load_model(path).graph.num_nodes()} nodes"
    except QCompileError as error:
        said = str(error)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("dtype", [onnx.TensorProto.FLOAT, onnx.TensorProto.INT4, onnx.TensorProto.BFLOAT16])
def test_weights_are_unpacked_once(dtype: int) -> None:
    """Behind a proto every look at a weight is a copy of it."""
    weight = onnx.helper.make_tensor("w", dtype, [2], [1, -2])
    node = onnx.helper.make_node("Cast", ["w"], ["y"], to=onnx.TensorProto.FLOAT)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    graph = onnx.helper.make_graph([node], "g", [], [output], [weight])
    opsets = [onnx.helper.make_opsetid("", 21)]
    loaded = load_model(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)).graph.initializers["w"]
    first, second = constant(loaded), constant(loaded)
    assert first is not None
    assert first is second
    assert first.astype(np.float32).tolist() == [1.0, -2.0]
