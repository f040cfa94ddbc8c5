"""Models with sequences and texts among their values: what holds no numbers is passed through."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

import qcompile
from qcompile.quant import Comparison
from qcompile.runtime import Session

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.normal(size=(3, 64)).astype(np.float32)} for _ in range(2)]
WEIGHT = ir.tensor(RNG.normal(size=(64, 64)).astype(np.float32), name="w")


def test_a_sequence_of_unlike_tensors_as_output() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[3,64] x) => (seq(float[N,64]) y) <float[64,64] w, int64[2] rows = {1, 2}> {
            h = MatMul(x, w)
            y = SplitToSequence <axis = 0> (h, rows)
        }""",
        initializers=[WEIGHT],
    )
    result = qcompile.compile(model, calib=FEEDS, format="qoperator")
    assert result.sqnr_db > 30
    ((first, second),) = Session(result.model).run(FEEDS[0])
    assert (first.shape, second.shape) == ((1, 64), (2, 64))


def test_texts_beside_a_product() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 8, opset_import: ["": 13, "ai.onnx.ml": 2]>
        g (float[3,64] x) => (float[3,64] y, string[3] label) <float[64,64] w> {
            y = MatMul(x, w)
            best = ArgMax <axis = 1, keepdims = 0> (y)
            label = ai.onnx.ml.LabelEncoder <keys_int64s = [0, 1], values_strings = ["a", "b"]> (best)
        }""",
        initializers=[WEIGHT],
    )
    result = qcompile.compile(model, calib=FEEDS, format="qoperator")
    assert result.sqnr_db > 30
    assert Session(result.model).run(FEEDS[0])[1].dtype == object


def test_texts_among_the_weights_of_an_old_model() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 9, opset_import: ["": 19]>
        g (string[2] x) => (bool[2] y) <string[2] wanted = {"a", "b"}> { y = Equal(x, wanted) }"""
    )
    assert (
        qcompile.compile(model, calib=[{"x": np.array(["a", "c"])}], format="qoperator").status == "nothing-to-quantize"
    )


def test_texts_agree_or_not() -> None:
    comparison = Comparison(["label", "scores"])
    texts, others = np.array(["a", "b"], object), np.array(["a", "c"], object)
    comparison.update([texts, [{"a": 0.25}, {"a": 0.5}]], [others, [{"a": 0.25}, {"a": 0.5}]])  # type: ignore[list-item]
    label, scores = comparison.result()
    assert (label.agreement, scores.agreement) == (0.5, 1.0)
    assert label.max_abs == 0
