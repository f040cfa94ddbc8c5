"""fuse-dynamic-lstm: text in, text out; and how far from float arithmetic the kernel is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.lower.fuse_dynamic_lstm import FuseDynamicLSTM
from qcompile.pipeline import Context
from qcompile.runtime import run_as_written
from qcompile.verify import step_errors

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(8)
QUANTIZE = "xq, xs, xz = DynamicQuantizeLinear(x) xd = DequantizeLinear(xq, xs, xz)"
WEIGHTS = "wd = DequantizeLinear<axis=1>(w, sw, zw) rd = DequantizeLinear<axis=1>(r, sr, zr)"
PARTS = ("transposed", "scales", "zero_points")


def graph(interface: str, declared: str, nodes: str) -> str:
    head = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
    return f"{head} g {interface} <{declared}> {{ {nodes} }}"


def arrays(directions: int, inputs: int, hidden: int) -> dict[str, np.ndarray]:
    gates = 4 * hidden
    return {
        "w": RNG.integers(-63, 64, (directions, gates, inputs)).astype(np.int8),
        "r": RNG.integers(-63, 64, (directions, gates, hidden)).astype(np.int8),
        "sw": RNG.uniform(0.001, 0.01, gates).astype(np.float32),
        "sr": RNG.uniform(0.001, 0.01, gates).astype(np.float32),
        "zw": np.zeros(gates, np.int8),
        "zr": np.zeros(gates, np.int8),
        "b": RNG.normal(size=(directions, 2 * gates)).astype(np.float32) / 10,
        "h": RNG.normal(size=(directions, 2, hidden)).astype(np.float32) / 10,
        "p": RNG.normal(size=(directions, 3 * hidden)).astype(np.float32) / 10,
        "n": np.array([3, 5], np.int32),
    }


def read(nodes: str, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that the nodes name."""
    return {name: array for name, array in given.items() if name in re.findall(r"\w+", nodes)}


def declared(given: dict[str, np.ndarray]) -> str:
    types = {"float32": "float"}
    listed = [f"{types.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {name}" for name, a in given.items()]
    return ", ".join(listed)


@pytest.mark.parametrize(
    ("directions", "before", "after", "attributes"),
    [
        (1, "", ", , , , ", "hidden_size=8"),
        (1, ", b", "b, , , , ", "hidden_size=8, layout=0"),
        (1, ", b, , h, h", "b, , h, h, ", 'direction="reverse", hidden_size=8'),
        (2, ", b, n, h, h, p", "b, n, h, h, p", 'clip=3.0, direction="bidirectional", hidden_size=8'),
        (1, ", b", "b, , , , ", 'activations=["Sigmoid", "Relu", "Tanh"], hidden_size=8'),
    ],
    ids=["weights alone", "bias", "states", "everything", "activations"],
)
def test_fused(directions: int, before: str, after: str, attributes: str, check_rewrite: CheckRewrite) -> None:
    interface = f"(float[5,2,6] x) => (float[5,{directions},2,8] y, float[{directions},2,8] c)"
    nodes = f"{QUANTIZE} {WEIGHTS} [lstm] y, , c = LSTM<{attributes}>(xd, wd, rd{before})"
    given = read(nodes, arrays(directions, 6, 8))
    made = [
        f"int8[{directions},{size},32] {name}_transposed, float[{directions},32] {name}_scales, "
        f"int8[{directions},32] {name}_zero_points"
        for name, size in (("w", 6), ("r", 8))
    ]
    passed_on = [declared(read(after, given))] if before else []
    kept = attributes.replace(", layout=0", "")
    operands = f"x, w_transposed, r_transposed, {after}, w_scales, w_zero_points, r_scales, r_zero_points"
    fused = f"[lstm] y, , c = com.microsoft.DynamicQuantizeLSTM<{kept}>({operands})"
    check_rewrite(
        FuseDynamicLSTM(),
        graph(interface, declared(given), nodes),
        graph(interface, ", ".join([*made, *passed_on]), fused),
        tolerance=0.02,
        **given,
    )


ONE_SCALE = "wd = DequantizeLinear(w, s, z) rd = DequantizeLinear(r, s, z)"
GIVEN = arrays(1, 6, 8) | {"s": np.array(0.01, np.float32), "z": np.array(0, np.int8)}


def test_a_float_lstm_is_no_unit(check_rewrite: CheckRewrite) -> None:
    nodes = f"{WEIGHTS} y = LSTM<hidden_size=8>(x, wd, rd)"
    given = read(nodes, GIVEN)
    text = graph("(float[5,2,6] x) => (float[5,1,2,8] y)", declared(given), nodes)
    assert not check_rewrite(FuseDynamicLSTM(), text, None, **given).declined


@pytest.mark.parametrize(("weights", "attributes"), [(ONE_SCALE, ""), (WEIGHTS, ", layout=1")])
def test_what_the_kernel_does_not_take_is_declined(weights: str, attributes: str) -> None:
    nodes = f"{QUANTIZE} {weights} y = LSTM<hidden_size=8{attributes}>(xd, wd, rd)"
    given = read(nodes, GIVEN)
    tensors = [ir.tensor(array, name=name) for name, array in given.items()]
    text = graph("(float[5,2,6] x) => (float[5,1,2,8] y)", declared(given), nodes)
    result = FuseDynamicLSTM().run(ir.from_onnx_text(text, initializers=tensors), Context())
    assert not result.changes
    assert [why.detail for _, why in result.declined] == ["layout 1, or weights without a scale for each row"]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_a_hundred_steps_stay_near_float(direction: str, quantize: Callable[..., Any]) -> None:
    """Against float arithmetic with the same weights: what is quantized inside must not add up over the steps."""
    directions, hidden = (2 if direction == "bidirectional" else 1), 128
    rng = np.random.default_rng(9)
    weights = {
        "w": rng.uniform(-0.1, 0.1, (directions, 4 * hidden, 24)).astype(np.float32),
        "r": rng.uniform(-0.1, 0.1, (directions, 4 * hidden, hidden)).astype(np.float32),
        "b": rng.normal(size=(directions, 8 * hidden)).astype(np.float32) / 10,
    }
    interface = f"(float[100,2,24] x) => (float[100,{directions},2,{hidden}] y, float[{directions},2,{hidden}] c)"
    nodes = f'y, , c = LSTM<hidden_size={hidden}, direction="{direction}">(x, w, r, b)'
    made = quantize(interface, nodes, **weights)
    assert [node.op_type for node in made.lowered.graph] == ["DynamicQuantizeLSTM"]
    for wanted, got in zip(*(run_as_written(m, made.feed) for m in (made.qdq, made.lowered)), strict=True):
        noise = np.sum(np.square(wanted - got, dtype=np.float64))
        assert 10 * np.log10(np.sum(np.square(wanted, dtype=np.float64)) / noise) >= 25
        assert np.abs(wanted - got)[-10:].mean() <= 2 * np.abs(wanted - got).mean()


def test_what_follows_is_judged_on_what_the_lstm_made(quantize: Callable[..., Any]) -> None:
    interface = "(float[9,1,16] x) => (float[9,1,1,5] y)"
    nodes = "s = LSTM<hidden_size=128>(x, w, r) y = MatMul(s, m)"
    made = quantize(interface, nodes, w=(1, 512, 16), r=(1, 512, 128), m=(128, 5))
    errors = step_errors(made.qdq.clone(), made.lowered.clone(), made.feed)
    assert [error.value for error in errors] == ["s_quantized", "y"]
    assert all(error.is_within_contract for error in errors)
