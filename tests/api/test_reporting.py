"""What is reported is what the runtime does, not what was planned."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import qcompile
from qcompile.plan import Code

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(1, 8, 16, 16)).astype(np.float32)} for _ in range(8)]


def chain(nodes: str) -> onnx.ModelProto:
    """A model of nodes between x and y, each convolution with a kernel of its own."""
    weights = [
        onnx.numpy_helper.from_array(RNG.normal(size=(8, 8, 3, 3)).astype(np.float32), f"w{i}") for i in range(3)
    ]
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[1, 8, 16, 16] x) => (float[1, 8, 16, 16] y) {' + nodes + "}"
    )
    model.graph.initializer.extend(weights)
    return model


@pytest.mark.parametrize("format_", ["qoperator", "qdq"])
def test_the_runtime_quantizes_nothing_unasked(format_: str) -> None:
    model = chain("""[first] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
        [second] b = Conv <pads = [1, 1, 1, 1]> (a, w1)
        [third] y = Conv <pads = [1, 1, 1, 1]> (b, w2)""")
    result = qcompile.compile(model, calib=FEEDS, exclude=["second"], format=format_)
    second = next(node for node in result.operators if node.name == "second")
    assert not second.integer
    assert second.reason is not None
    assert second.reason.code is Code.EXCLUDED


def test_what_is_left_between_dequantize_and_quantize_is_no_integer() -> None:
    model = chain("""[first] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
        [act] b = LeakyRelu(a)
        [second] c = Conv <pads = [1, 1, 1, 1]> (b, w1)
        [join] d = Concat <axis = 1> (b, c)
        [part] e, f = Split <axis = 1, num_outputs = 2> (d)
        [sum] h = Add(e, f)
        [third] y = Conv <pads = [1, 1, 1, 1]> (h, w2)""")
    reports = {node.name: node for node in qcompile.compile(model, calib=FEEDS, format="qdq").operators}
    for node in reports.values():
        declined = node.reason is not None and node.reason.code is Code.RUNTIME_DECLINED
        assert node.integer != declined
    assert reports["first"].integer
    assert reports["third"].integer


def test_nothing_to_quantize_says_why_of_every_node() -> None:
    model = chain("[only] y = Conv <pads = [1, 1, 1, 1]> (x, w0)")
    result = qcompile.compile(model, calib=FEEDS, exclude=["."], format="qoperator")
    assert result.status == "nothing-to-quantize"
    assert [(name, reason.code) for name, reason in result.stayed_float] == [("only", Code.EXCLUDED)]
    assert result.warnings == ("no integer form: everything that has one is excluded",)
