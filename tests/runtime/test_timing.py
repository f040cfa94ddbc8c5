"""Times come as ratios over a reference, one for each of the others."""

from __future__ import annotations

import math
import sys
import time
from itertools import count
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import onnx
import pytest

from qcompile.runtime import Feed, Session, host, node_times, profile, speed_ratios
from qcompile.runtime.timing import is_settled

timing = sys.modules[speed_ratios.__module__]
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


@pytest.mark.parametrize(
    ("ratios", "settled"), [([2.0, 1.2, 1.3], True), ([2.0, 1.05, 1.3], False), ([0.5, 0.8], True), ([0.5, 2.0], False)]
)
def test_when_a_race_is_settled(ratios: list[float], settled: bool) -> None:
    assert is_settled(ratios, 1.1) == settled
    assert not is_settled(ratios, math.inf)


@pytest.mark.parametrize(("clear", "rounds"), [(math.inf, 7), (0.5, 3)])
def test_a_settled_race_is_over(clear: float, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock on which every burst takes a second, and so is one run; four runs come before the rounds."""
    ticks = count()
    monkeypatch.setattr(timing, "clock", lambda threads: lambda: float(next(ticks)))
    session = Counting()
    assert speed_ratios(Instant(), [session], {}, rounds=7, clear=clear) == [1.0]
    assert session.runs == 4 + 2 * rounds


def test_nodes_are_found_under_their_own_names() -> None:
    times = node_times(MODEL, FEED, seconds=0.0)
    assert {name: op for name, (op, _) in times.items()} == {"sigmoid": "Sigmoid", "tanh": "Tanh"}


def test_the_host_is_named() -> None:
    assert host().architecture
    assert str(host())


class Instant:
    """A session that takes no time at all, as a coarse clock sees it."""

    outputs: ClassVar[list[str]] = []

    def run(self, feed: Feed) -> list[object]:
        return []


class Counting(Instant):
    """Counts its runs."""

    runs = 0

    def run(self, feed: Feed) -> list[object]:
        self.runs += 1
        return []


def test_a_coarse_clock_of_the_thread_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of some systems ticks each 16 ms: short runs take no time on it."""
    coarse = SimpleNamespace(resolution=0.0156)
    monkeypatch.setattr(time, "get_clock_info", lambda name: coarse)
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)
    assert speed_ratios(Instant(), [Instant()], {}, rounds=1)[0] > 0


def test_a_node_in_a_body_counts_for_all_its_runs() -> None:
    body = """<ir_version: 10, opset_import: ["": 21]> g (int64 n, float[4, 64] x) => (float[4, 64] y) {
        go = Constant <value = bool {1}> ()
        [loop] y = Loop (n, go, x) <body = b (int64 i, bool on, float[4, 64] h) => (bool off, float[4, 64] t) {
            off = Identity(on) [tanh] t = Tanh(h) }> }"""
    model = onnx.parser.parse_model(body)
    _, microseconds = node_times(model, FEED | {"n": np.array(2000)}, seconds=0.0)["tanh"]
    (events,) = [[e.microseconds for e in profile(model, FEED | {"n": np.array(2000)}) if e.name == "tanh"]]
    assert len(events) == 2000
    assert microseconds > sum(events) / 100
