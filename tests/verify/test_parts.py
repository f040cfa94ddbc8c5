"""Outputs that join values of different kinds are judged kind by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import qcompile
from qcompile.verify import Parted, Parts, output_parts, with_signal

HEAD = '<ir_version: 10, opset_import: ["": 21]> g'
BOXES, SCORES = "boxes = Mul(x, stride)", "scores = Sigmoid(z)"


def parts(text: str) -> dict[str, Parts]:
    return output_parts(ir.from_onnx_text(f"{HEAD} {text}"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f"""(float[1,4,9] x, float[1,2,9] z, float stride) => (float[1,6,9] y)
            <float[1,4,9] boxes, float[1,2,9] scores> {{ {BOXES} {SCORES} y = Concat<axis=1>(boxes, scores) }}""",
            Parts(1, (4, 6), (False, True)),
        ),
        (  # levels of an image in a row, each with all kinds
            f"""(float[1,4,9] x, float[1,2,9] z, float stride) => (float[1,18,6] y)
            <float[1,4,9] boxes, float[1,2,9] scores, float[1,6,9] level> {{
                {BOXES} {SCORES} level = Concat<axis=1>(boxes, scores)
                all = Concat<axis=2>(level, level) y = Transpose<perm=[0,2,1]>(all)
            }}""",
            Parts(2, (4, 6), (False, True)),
        ),
        (  # neighbours of one kind are one part
            """(float[1,2,9] x, float[1,2,9] z, float stride) => (float[1,6,9] y)
            <float[1,2,9] a, float[1,2,9] b, float[1,2,9] c> {
                a = Mul(x, stride) b = Mul(z, stride) c = Tanh(x) y = Concat<axis=1>(a, b, c)
            }""",
            Parts(1, (4, 6), (False, False)),
        ),
        (  # one kind
            """(float[1,2,9] x, float[1,4,9] z) => (float[1,6,9] y)
            { a = Sigmoid(x) b = Sigmoid(z) y = Concat<axis=1>(a, b) }""",
            None,
        ),
        (  # of unknown length
            """(float[1,n,9] x, float[1,m,9] z) => (float[1,k,9] y)
            { a = Tanh(x) b = Sigmoid(z) y = Concat<axis=1>(a, b) }""",
            None,
        ),
        ("(float[1,4] x) => (float[1,4] y) { y = Sigmoid(x) }", None),
        (  # a row of classes
            """(float[n,1] z, float one) => (float[n,2] y) <float[n,1] p, float[n,1] q> {
                p = Sigmoid(z) q = Sub(one, p) y = Concat<axis=1>(q, p)
            }""",
            None,
        ),
        (  # whole numbers
            f"""(float[1,4,9] x, float[1,2,9] z, float stride) => (int64[1,6,9] y)
            <float[1,4,9] boxes, float[1,2,9] scores, float[1,6,9] j> {{
                {BOXES} {SCORES} j = Concat<axis=1>(boxes, scores) y = Cast<to=7>(j)
            }}""",
            None,
        ),
        (  # along batches
            """(float[2,4,4] x, float[2,4,4] z) => (float[4,4,4] y) <float[2,4,4] a, float[2,4,4] b> {
                a = Tanh(x) b = Sigmoid(z) y = Concat<axis=0>(a, b)
            }""",
            None,
        ),
        (  # the axis in another place, and gone
            """(float[1,9,4] x, float[1,9,2] z, int64[3] shape) => (float[1,6,9] y)
            <float[1,9,4] a, float[1,9,2] b, float[1,9,6] j> {
                a = Tanh(x) b = Sigmoid(z) j = Concat<axis=-1>(a, b) y = Reshape(j, shape)
            }""",
            None,
        ),
        (  # in another order
            """(float[1,4,9] x, float[1,2,9] z, int64[6] order) => (float[1,6,9] y)
            <float[1,4,9] a, float[1,2,9] b, float[1,6,9] j> {
                a = Tanh(x) b = Sigmoid(z) j = Concat<axis=1>(a, b) y = Gather<axis=1>(j, order)
            }""",
            None,
        ),
        (  # moved about
            """(float[1,4,9] x, float[1,2,9] z) => (float[1,1,9,6] y) <float[1,4,9] a, float[1,2,9] b, float[1,6,9] j,
            float[1,9,6] t, int64[1] axes = {1}> {
                a = Tanh(x) b = Sigmoid(z) j = Concat<axis=1>(a, b)
                t = Transpose<perm=[0,2,1]>(j) y = Unsqueeze(t, axes)
            }""",
            Parts(3, (4, 6), (False, True)),
        ),
    ],
    ids=[
        "side by side",
        "levels",
        "neighbours",
        "one kind",
        "unknown",
        "no Concat",
        "classes",
        "integers",
        "batches",
        "mixed",
        "permuted",
        "moved",
    ],
)
def test_parts_are_what_different_operators_compute(text: str, found: Parts | None) -> None:
    assert parts(text) == ({} if found is None else {"y": found})


def test_what_is_joined_again_and_again_is_looked_at_once() -> None:
    doubled = " ".join(f"j{n + 1} = Concat<axis=2>(j{n}, j{n})" for n in range(64))
    text = f"""(float[1,4,n] x, float[1,2,n] z) => (float[1,6,m] y) <float[1,4,n] a, float[1,2,n] b> {{
        a = Tanh(x) b = Sigmoid(z) j0 = Concat<axis=1>(a, b) {doubled} y = Identity(j64)
    }}"""
    model = ir.from_onnx_text(f"{HEAD} {text}")
    for node in model.graph:
        node.outputs[0].shape = node.outputs[0].shape or ir.Shape([1, 6, None])
    assert output_parts(model) == {"y": Parts(1, (4, 6), (False, True))}


class _Fixed:
    """Gives the same outputs each time."""

    @property
    def outputs(self) -> list[str]:
        return ["y", "z"]

    def run(self, feed: Any) -> list[np.ndarray]:
        return [np.array([[[9.0, 4.0], [0.25, 0.0]]], np.float32), np.ones(2, np.float32)]


class _Silent:
    """Holds nothing in its second column."""

    @property
    def outputs(self) -> list[str]:
        return ["y"]

    def run(self, feed: Any) -> list[np.ndarray]:
        return [np.array([[[1.0, 0.0], [2.0, 0.0]]], np.float32)]


def test_every_part_has_a_name_and_scores_are_roots() -> None:
    parted = Parted(_Fixed(), {"y": Parts(1, (1, 2), (False, True))})
    assert parted.outputs == ["y[:, 0:1]", "y[:, 1:2] (square roots)", "z"]
    boxes, scores, other = parted.run({})
    assert (boxes.tolist(), scores.tolist(), other.tolist()) == ([[[9.0, 4.0]]], [[[0.5, 0.0]]], [1.0, 1.0])


def test_an_output_with_a_silent_part_is_judged_as_a_whole() -> None:
    parts = {"y": Parts(1, (1, 2), (False, True))}
    heard = with_signal(parts, _Fixed(), [{}])
    silent = with_signal({"y": Parts(2, (1, 2), (False, False))}, _Silent(), [{}, {}])
    assert (heard, silent) == (parts, {})


DETECTOR = f"""{HEAD} (float[1,64,24,24] image) => (float[1,6,576] y)
    <float[6,64,3,3] w, int64[2] sizes = {{4, 2}}, int64[3] shape = {{1, 6, 576}}, float stride = {{200.0}}> {{
        h = Conv<pads=[1,1,1,1]>(image, w) flat = Reshape(h, shape)
        b, s = Split<axis=1>(flat, sizes) boxes = Mul(b, stride) scores = Sigmoid(s)
        y = Concat<axis=1>(boxes, scores)
    }}"""


def test_a_compile_and_a_validation_say_what_becomes_of_scores() -> None:
    rng = np.random.default_rng(4)
    weight = ir.tensor(rng.normal(size=(6, 64, 3, 3)).astype(np.float32), name="w")
    model = ir.from_onnx_text(DETECTOR, initializers=[weight])
    feeds = [{"image": rng.normal(size=(1, 64, 24, 24)).astype(np.float32)} for _ in range(8)]
    result = qcompile.compile(model, calib=feeds, effort="fast")
    names = ["y[:, 0:4]", "y[:, 4:6] (square roots)"]
    assert [output.name for output in result.fidelity] == names
    report = qcompile.validate(model, result.model, data=feeds)
    assert [output.name for output in report.outputs] == names
