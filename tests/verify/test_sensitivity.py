"""What each quantization does alone, against one QDQ model for each; and how the runs are spent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qcompile.passes.quantize import InsertQDQ
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.runtime import Feed, Session
from qcompile.targets import find_target
from qcompile.verify import Gate, float_nodes, sensitivity

CPU = find_target("cpu")
NODES = """
    [first] a = Conv<pads=[1,1,1,1]>(x, w) [relu] r = Relu(a)
    [pool] p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
    [second] d = Conv<pads=[1,1,1,1]>(p, v) [sum] s = Add(p, d)
    [mean] m = GlobalAveragePool(s) [flat] f = Flatten(m) [head] y = Gemm(f, g) [beside] z = Neg(m)
"""
INTERFACE = "(float[4,8,12,12] x) => (float[4,10] y, float[4,16,1,1] z)"
SHAPES: dict[str, tuple[int, ...]] = {"w": (16, 8, 3, 3), "v": (16, 16, 3, 3), "g": (16, 10)}
MOVED = {"r": ("r", "p"), "m": ("m", "f")}
"""Values that are quantized with another one, which they only move."""


@pytest.fixture
def made(quantize: Callable[..., Any]) -> Any:
    return quantize(INTERFACE, NODES, **SHAPES)


def feeds(count: int) -> list[Feed]:
    rng = np.random.default_rng(5)
    return [{"x": rng.normal(size=(4, 8, 12, 12)).astype(np.float32)} for _ in range(count)]


def noise(made: Any, plan: Plan, samples: list[Feed]) -> tuple[float, float]:
    """Noise power of a QDQ model at each output."""
    model = made.canonical.clone()
    InsertQDQ().run(model, Context(target=CPU, plan=plan))
    reference, candidate = Session(made.canonical), Session(model, optimize=False)
    errors = [[a - b for a, b in zip(reference.run(f), candidate.run(f), strict=True)] for f in samples]
    first, second = (sum(float((error[i].astype(np.float64) ** 2).sum()) for error in errors) for i in (0, 1))
    return first, second


def test_each_share_is_that_of_one_qdq_model(made: Any) -> None:
    samples = feeds(2)
    found = sensitivity(made.canonical, made.plan, CPU, samples)
    assert found is not None
    assert (found.output, found.unmeasured, found.bound) == ("y", 0, 0.0)
    whole = noise(made, made.plan, samples)[0]
    assert len(found.shares) == 8
    for share in found.shares:
        if share.gate.of_weights:
            alone = replace(
                made.plan, values={}, weights={k: p for k, p in made.plan.weights.items() if k[0] == share.gate.node}
            )
        else:
            kept = MOVED.get(share.gate.value, (share.gate.value,))
            alone = replace(made.plan, weights={}, values={n: made.plan.values[n] for n in kept})
        assert share.share == pytest.approx(noise(made, alone, samples)[0] / whole, rel=1e-3)
    assert [s.share for s in found.shares] == sorted((s.share for s in found.shares), reverse=True)


def test_the_output_with_the_lowest_sqnr_counts(made: Any) -> None:
    (sample,) = samples = feeds(1)
    found = sensitivity(made.canonical, made.plan, CPU, samples)
    assert found is not None
    powers = [float((array.astype(np.float64) ** 2).sum()) for array in Session(made.canonical).run(sample)]
    ratios = [10 * math.log10(a / b) for a, b in zip(powers, noise(made, made.plan, samples), strict=True)]
    assert found.sqnr_db == pytest.approx(min(ratios), abs=0.01)
    assert found.output == ("y", "z")[int(np.argmin(ratios))]


def test_few_runs_find_the_worst_and_say_what_they_left(quantize: Callable[..., Any]) -> None:
    nodes = " ".join(f"[n{i}] x{i + 1} = Conv(x{i}, w{i})" for i in range(20))
    eye = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
    weights = {f"w{i}": eye * np.float32(1 + 0.001 * i) for i in range(20)}
    made = quantize("(float[1,8,6,6] x0) => (float[1,8,6,6] x20)", nodes, ranges={"x13": (-900.0, 900.0)}, **weights)
    feed = {"x0": np.random.default_rng(2).normal(size=(1, 8, 6, 6)).astype(np.float32)}
    found = sensitivity(made.canonical, made.plan, CPU, [feed], runs=16, worst=1)
    assert found is not None
    assert found.shares[0].gate == Gate("x13", "n12")
    assert found.unmeasured == 41 - len(found.shares)
    assert found.bound < found.shares[0].share
    whole = sensitivity(made.canonical, made.plan, CPU, [feed], runs=100)
    assert whole is not None
    assert len(whole.shares) == 41
    assert whole.shares[0] == found.shares[0]


def test_nothing_to_measure(made: Any) -> None:
    empty = replace(made.plan, values={}, weights={})
    assert sensitivity(made.canonical, empty, CPU, feeds(1)) is None


@pytest.mark.parametrize(
    ("gate", "nodes"),
    [
        (Gate("w", "first", True), {"first": "weights"}),
        (Gate("x", ""), {"first": "input"}),
        (Gate("r", "relu"), {"first": "output", "pool": "input", "second": "input", "sum": "input"}),
        (Gate("d", "second"), {"second": "output", "sum": "input"}),
        (Gate("m", "mean"), {"mean": "output", "flat": "input", "head": "input"}),
    ],
)
def test_what_must_be_float_for_a_value_to_be_exact(made: Any, gate: Gate, nodes: dict[str, str]) -> None:
    assert float_nodes(made.canonical, made.plan, CPU, gate) == nodes
