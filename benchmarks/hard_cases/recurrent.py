"""A recurrent net that runs 500 steps on its own state, in which errors of each step stay."""

from __future__ import annotations

import numpy as np

from benchmarks.hard_cases.case import HardCase
from benchmarks.networks import ABSENT, Builder, Feed, Network, Value
from benchmarks.networks.layers import linear, relu

STEPS = 500
BANDS, HIDDEN = 40, 96
STATE = (1, 1, HIDDEN)
REMEMBER = 2.0
"""Bias of the forget gate: a state fades to 1/e within eight steps."""


def recurrent() -> HardCase:
    """`frame` (1, 1, bands) and the states `hidden` and `cell` to `score` and the next states."""
    b = Builder(seed=4)
    frame = b.input("frame", frame_sample(b.rng)["frame"])
    first = {name: np.zeros(STATE, np.float32) for name in ("hidden", "cell")}
    hidden, cell = (b.input(name, zeros) for name, zeros in first.items())
    outputs, next_hidden, next_cell = _lstm(b, relu(b, linear(b, frame, HIDDEN)), hidden, cell)
    flat = b.op("Squeeze", outputs, b.integers(1))
    score = b.op("Sigmoid", linear(b, flat, 1, gain=8.0))
    model = b.model("recurrent", score=score, next_hidden=next_hidden, next_cell=next_cell)
    states = {"next_hidden": "hidden", "next_cell": "cell"}
    return HardCase(Network(model, frame_sample), calibration=256, fresh=STEPS, sequence=states, first_states=first)


def frame_sample(rng: np.random.Generator) -> Feed:
    """`frame`, float32 (1, 1, bands): noise of changing loudness."""
    loudness = np.exp(rng.normal(0, 0.5))
    return {"frame": (loudness * rng.normal(size=(1, 1, BANDS))).astype(np.float32)}


def _lstm(b: Builder, x: Value, hidden: Value, cell: Value) -> list[Value]:
    inputs, recurrence = (b.normal(1, 4 * HIDDEN, HIDDEN, spread=HIDDEN**-0.5) for _ in range(2))
    bias = np.zeros((1, 8 * HIDDEN))
    bias[0, 2 * HIDDEN : 3 * HIDDEN] = REMEMBER
    return b.split("LSTM", x, inputs, recurrence, b.constant(bias), ABSENT, hidden, cell, outputs=3, hidden_size=HIDDEN)
