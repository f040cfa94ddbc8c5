"""Times come as ratios over a reference, one for each of the others."""

from __future__ import annotations

import numpy as np
import onnx

from qcompile.runtime import Session, host, node_times, speed_ratios

MODEL = onnx.parser.parse_model(
    """<ir_version: 10, opset_import: ["": 21]> g (float[4, 64] x) => (float[4, 64] y) {
         [sigmoid] a = Sigmoid(x) [tanh] y = Tanh(a) }"""
)
FEED = {"x": np.ones((4, 64), np.float32)}


def test_one_ratio_for_each_other_session() -> None:
    sessions = [Session(MODEL) for _ in range(3)]
    ratios = speed_ratios(sessions[0], sessions[1:], FEED, rounds=1)
    assert len(ratios) == 2
    assert all(ratio > 0 for ratio in ratios)


def test_nodes_are_found_under_their_own_names() -> None:
    times = node_times(MODEL, FEED, seconds=0.0)
    assert {name: op for name, (op, _) in times.items()} == {"sigmoid": "Sigmoid", "tanh": "Tanh"}


def test_the_host_is_named() -> None:
    assert host().architecture
    assert str(host())
