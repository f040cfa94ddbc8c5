"""raise-opset: equal outputs, nothing lost, and a line where it cannot be done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.ir import MINIMUM_OPSET, graphs, nodes, opset
from qcompile.passes.canonicalize import raise_opset
from qcompile.passes.canonicalize.raise_opset import RaiseOpset
from qcompile.pipeline import Context
from qcompile.runtime.session import run_as_written

RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(2, 4, 6)).astype(np.float32)
IMAGE = RNG.normal(size=(1, 2, 4, 4)).astype(np.float32)


def model_of(version: int, body: str) -> ir.Model:
    return ir.from_onnx_text(f'<ir_version: 4, opset_import: ["": {version}]> {body}')


@pytest.mark.parametrize(
    ("version", "node", "shape", "x"),
    [
        (7, "Dropout <ratio = 0.5> (x)", "2,4,6", CUBE),
        (7, 'Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (x)', "1,2,8,8", IMAGE),
        (9, 'Upsample <mode = "linear"> (x, half_more)', "1,2,6,6", IMAGE),
        (9, 'Upsample <mode = "nearest"> (x, half_more)', "1,2,6,6", IMAGE),
        (9, "Slice <axes = [1], starts = [1], ends = [3]> (x)", "2,2,6", CUBE),
        (9, "Clip <min = 0.0, max = 1.0> (x)", "2,4,6", CUBE),
        (10, "Pad <pads = [0, 0, 1, 0, 0, 1], value = 2.0> (x)", "2,4,8", CUBE),
        (11, "Softmax <axis = 1> (x)", "2,4,6", CUBE),
        (11, "ReduceSum <axes = [1], keepdims = 0> (x)", "2,6", CUBE),
        (11, "Unsqueeze <axes = [0]> (x)", "1,2,4,6", CUBE),
        (17, "ReduceMean <axes = [1], keepdims = 0> (x)", "2,6", CUBE),
    ],
)
def test_outputs_are_equal(version: int, node: str, shape: str, x: np.ndarray) -> None:
    dims = ",".join(map(str, x.shape))
    text = f"g (float[{dims}] x) => (float[{shape}] y) <float[4] half_more = {{1, 1, 1.5, 1.5}}> {{ [n] y = {node} }}"
    model = model_of(version, text)
    before = run_as_written(model, {"x": x})[0]
    assert RaiseOpset().run(model, Context()).changes == MINIMUM_OPSET - version
    assert opset(model) == MINIMUM_OPSET
    assert model.ir_version >= 10
    assert all(node.name for node in model.graph)
    np.testing.assert_allclose(run_as_written(model, {"x": x})[0], before, rtol=1e-5, atol=1e-6)


LARGE = RNG.normal(size=(600, 4)).astype(np.float32)


@pytest.fixture
def model() -> ir.Model:
    """Opset 11, with everything that the converter drops, in the main graph and in a body."""
    made = ir.from_onnx_text(
        '<ir_version: 7, opset_import: ["": 11]>'
        "net (float[N,4] x, bool c) => (float[M,4] y) <float[600,4] large, float[1] small = {2}> {"
        ' ["a/b: c"] t = Mul(x, small)'
        " [choose] u = If(c) <"
        "  then_branch = yes () => (float[1,4] z) { [inner] z = ReduceSum <axes = [0]> (t) },"
        "  else_branch = no () => (float[1,4] z2) <float[1,4] w = {1, 2, 3, 4}> { [other] z2 = Identity(w) }>"
        " [up] y = Add(u, large) }",
        initializers=[ir.tensor(LARGE, name="large")],
    )
    for graph in graphs(made):
        graph.metadata_props["graph"] = str(graph.name)
        for node in graph:
            node.metadata_props["node"], node.doc_string = str(node.name), f"doc of {node.name}"
    for value in (*made.graph.inputs, *made.graph.outputs, *made.graph.initializers.values()):
        value.metadata_props["value"], value.doc_string = str(value.name), f"doc of {value.name}"
    made.graph.doc_string = "doc of the graph"
    made.metadata_props["model"] = "mine"
    return made


FEED = {"x": CUBE[0, :, :4], "c": np.array(True)}


def test_what_the_converter_drops_is_put_back(model: ir.Model) -> None:
    RaiseOpset().run(model, Context(run=run_as_written, feed=FEED))
    assert [node.name for node in nodes(model)] == ["a/b: c", "choose", "up", "inner", "other"]
    for node in nodes(model):
        assert node.metadata_props["node"] == node.name
        assert node.doc_string == f"doc of {node.name}"
    for value in (*model.graph.inputs, *model.graph.outputs, model.graph.initializers["large"]):
        assert value.metadata_props["value"] == value.name
        assert value.doc_string == f"doc of {value.name}"
    assert model.graph.metadata_props["graph"] == model.graph.name == "net"
    assert model.graph.doc_string == "doc of the graph"
    assert model.metadata_props["model"] == "mine"
    assert [str(value.shape) for value in (*model.graph.inputs, *model.graph.outputs)] == ["[N,4]", "[]", "[M,4]"]


def test_weights_do_not_pass_through_the_converter(model: ir.Model) -> None:
    tensor = model.graph.initializers["large"].const_value
    RaiseOpset().run(model, Context())
    weight = model.graph.initializers["large"]
    assert weight.const_value is tensor
    assert not weight.is_graph_input()
    assert [value.name for value in model.graph.inputs] == ["x", "c"]


def test_weights_in_another_file_stay_there(model: ir.Model, tmp_path: Path) -> None:
    ir.save(model, tmp_path / "model.onnx", external_data="weights")
    external = ir.load(tmp_path / "model.onnx")
    expected = run_as_written(external, FEED)
    RaiseOpset().run(external, Context())
    assert isinstance(external.graph.initializers["large"].const_value, ir.ExternalTensor)
    np.testing.assert_array_equal(run_as_written(external, FEED), expected)


@pytest.mark.parametrize("version", [21, 22])
def test_what_is_there_already_is_left_alone(version: int) -> None:
    model = model_of(version, "g (float[2] x) => (float[2] y) { y = Neg(x) }")
    graph = model.graph
    assert RaiseOpset().run(model, Context()).changes == 0
    assert model.graph is graph


def test_an_operator_nobody_knows_is_named() -> None:
    model = model_of(9, "g (float[2] x) => (float[2] y) { [here] y = Wonder(x) }")
    with pytest.raises(ModelError, match=r"^unknown operator Wonder in node 'here' \(not in ONNX opset 9\)$"):
        RaiseOpset().run(model, Context())


def test_an_operator_without_conversion_is_named() -> None:
    model = model_of(6, "g (float[2] x) => (int32[2] y) { [here] y = Cast <to = 6> (x) t = RNN(x, x, x) }")
    with pytest.raises(
        ModelError, match=r"^cannot raise the model to opset 21 \(operator RNN: [^\n]*\); export it again$"
    ):
        RaiseOpset().run(model, Context())


def test_a_wrong_conversion_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mending of Upsample, which also tells when the converter needs it no more."""
    monkeypatch.setattr(raise_opset, "_mend_resize", lambda node: None)
    model = model_of(
        9,
        "g (float[1,2,4,4] x) => (float[1,2,8,8] up) <float[4] s = {1, 1, 2, 2}>"
        ' { up = Upsample <mode = "linear"> (x, s) }',
    )
    with pytest.raises(ModelError, match="output 'up' changed when the model was raised to opset 21"):
        RaiseOpset().run(model, Context(run=run_as_written, feed={"x": IMAGE}))


def test_nan_in_the_same_places_is_equal() -> None:
    model = model_of(11, "g (float[2] x) => (float[2] y) { y = Sqrt(x) }")
    feed = {"x": np.array([-1, 4], np.float32)}
    RaiseOpset().run(model, Context(run=run_as_written, feed=feed))
    assert opset(model) == MINIMUM_OPSET


def test_declared_shapes_behind_foreign_operators_stay() -> None:
    model = ir.from_onnx_text(
        '<ir_version: 7, opset_import: ["": 11, "other": 1]> g (float[2] x) => (float[2] y) <float[7,N] t>'
        " { t = other.Op(x) y = other.Op(t) }"
    )
    RaiseOpset().run(model, Context())
    assert str(model.graph[0].outputs[0].shape) == "[7,N]"
