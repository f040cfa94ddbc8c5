"""Boxes in pixels and scores below one meet in one Concat: the tail that decodes them stays float by itself."""

from __future__ import annotations

import numpy as np
import onnx

import qcompile
from qcompile.ir import to_proto
from qcompile.runtime import Session

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(1, 8, 16, 16)).astype(np.float32)} for _ in range(16)]
HEAD = """<ir_version: 10, opset_import: ["": 21]>
g (float[1, 8, 16, 16] x) => (float[1, 7, 256] detections) <float stride = {32.0}> {
    [stem] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
    [act] b = Relu(a)
    [box] c = Conv <pads = [1, 1, 1, 1]> (b, w1)
    [class] d = Conv <pads = [1, 1, 1, 1]> (b, w2)
    [boxes] e = Exp(c)
    [pixels] f = Mul(e, stride)
    [scores] h = Sigmoid(d)
    [meet] i = Concat <axis = 1> (f, h)
    [flat] detections = Reshape(i, shape)
}"""


def head() -> onnx.ModelProto:
    model = onnx.parser.parse_model(HEAD)
    shapes = {"w0": (16, 8, 3, 3), "w1": (4, 16, 3, 3), "w2": (3, 16, 3, 3)}
    for name, shape in shapes.items():
        kernel = RNG.normal(scale=0.1, size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(kernel, name))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 7, 256]), "shape"))
    return model


def test_products_are_integer_and_the_tail_is_float() -> None:
    result = qcompile.compile(head(), calib=FEEDS, format="qoperator")
    integer = {node.name for node in result.operators if node.integer}
    assert integer == {"stem", "act", "box", "class"}


def test_scores_survive_beside_boxes() -> None:
    """One scale for both would leave the scores fewer than 2 bits; each keeps its own to within a few hundredths."""
    model = head()
    compiled = to_proto(qcompile.compile(model, calib=FEEDS, format="qoperator").model)
    for feed in FEEDS:
        wanted, got = (ort_outputs(proto, feed) for proto in (model, compiled))
        assert np.abs(wanted[:, 4:] - got[:, 4:]).max() < 0.05
        assert np.abs(wanted[:, :4] - got[:, :4]).max() < 0.05 * wanted[:, :4].max()


def ort_outputs(proto: onnx.ModelProto, feed: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(Session(proto).run(feed)[0])
