"""Carried states in a compile: as if each sample had come with the state that a loop would have given it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest

import qcompile
from qcompile.ir import to_proto
from qcompile.runtime import Session

Feed = dict[str, np.ndarray]

STEP = """<ir_version: 10, opset_import: ["": 21]>
    g (float[B,4] x, float[B,32] h) => (float[B,2] y, float[B,32] new) {
      both = Concat<axis = 1>(x, h)
      s = MatMul(both, w)
      new = Tanh(s)
      y = MatMul(new, v)
    }"""


@pytest.fixture
def step() -> onnx.ModelProto:
    """A recurrent step with its state as an input and an output."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(STEP)
    for name, shape in (("w", (36, 32)), ("v", (32, 2))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    return model


@pytest.fixture
def samples() -> list[Feed]:
    """Inputs of 24 steps, without states."""
    rng = np.random.default_rng(1)
    return [{"x": rng.normal(size=(1, 4)).astype(np.float32)} for _ in range(24)]


def looped(model: onnx.ModelProto, samples: Sequence[Feed]) -> list[Feed]:
    """The samples with the states of a plain loop."""
    session, state, feeds = Session(model), np.zeros((1, 32), np.float32), []
    for sample in samples:
        feeds.append({**sample, "h": state})
        state = session.run(feeds[-1])[1]
    return feeds


def content(result: qcompile.CompileResult) -> bytes:
    return bytes(to_proto(result.model).SerializeToString(deterministic=True))


def test_the_result_is_that_of_samples_with_looped_states(step: onnx.ModelProto, samples: list[Feed]) -> None:
    carried = qcompile.compile(step, calib=samples, sequence={"new": "h"}, format="qoperator")
    by_hand = qcompile.compile(step, calib=looped(step, samples), format="qoperator")
    assert content(carried) == content(by_hand)
    assert carried.fidelity == by_hand.fidelity


def test_fewer_samples_are_the_first_ones(step: onnx.ModelProto, samples: list[Feed]) -> None:
    carried = qcompile.compile(step, calib=samples, sequence={"new": "h"}, max_samples=9, format="qoperator")
    assert carried.samples == 9
    assert content(carried) == content(qcompile.compile(step, calib=looped(step, samples[:9]), format="qoperator"))


def test_a_plan_keeps_where_its_ranges_came_from(step: onnx.ModelProto, samples: list[Feed]) -> None:
    first = qcompile.compile(step, calib=samples, sequence={"new": "h"}, format="qoperator")
    again = qcompile.compile(step, plan=first.plan, format="qoperator")
    assert again.model.metadata_props["qcompile.calibration"] == "data"
    assert content(again) == content(first)
