"""One lowering on one QDQ unit: text in, text out, and equal codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import static_shape
from qcompile.pipeline import Context, Pass, PassResult
from qcompile.plan import Plan
from qcompile.runtime import Session

CheckLowering = Callable[..., None]

RNG = np.random.default_rng(5)
TYPES = {"float32": "float"}


def scale(number: float) -> np.ndarray:
    return np.array(number, np.float32)


CONSTANTS: dict[str, Any] = {
    # parameters of activations by letter, of weights per channel
    "sx": scale(0.02), "zx": np.uint8(121), "sa": scale(0.03), "za": np.uint8(90), "sb": scale(0.013),
    "zb": np.uint8(30), "sy": scale(0.11), "zy": np.uint8(99), "s0": scale(0.11), "z0": np.uint8(0),
    "s6": scale(6 / 255), "sw": RNG.uniform(0.002, 0.02, 8).astype(np.float32), "zw": np.zeros(8, np.int8),
    "bq": RNG.integers(-5000, 5000, 8).astype(np.int32), "zbias": np.zeros(8, np.int32),
    "bf": RNG.normal(size=8).astype(np.float32),
    "w4": RNG.integers(-31, 32, (8, 4, 1, 1)).astype(np.int8), "w2": RNG.integers(-31, 32, (8, 8)).astype(np.int8),
    "wt": np.random.default_rng(7).integers(-31, 32, (4, 8, 4, 4)).astype(np.int8),
    "w4_columns": np.zeros((4, 8), np.int8), "conv_bias_float": np.zeros(8, np.float32),  # where only shapes count
    # 3 is 60 steps of s3, and 42.9 of s7; the gate is what hard-sigmoid makes of s3 and zx
    "s3": scale(0.05), "s7": scale(0.07), "sgate": scale(0.05) / scale(6), "zgate": np.uint8(61),
    "zero": scale(0), "six": scale(6), "low": scale(-1), "high": scale(1.5), "shape": np.array([4, 6], np.int64),
    "by2": np.array([1, 2, 6, 6, 6], np.int64), "by3": np.array([1, 3, 4, 6, 6], np.int64),
    "flat": np.array([1, -1, 6, 6], np.int64), "sizes": np.array([26, 22], np.int64),
    "sides": np.array([0, 1, 1, 2], np.int64), "ends": np.array([1, 2], np.int64), "last": np.array([1], np.int64),
    "mask": np.array([True, False, False, True]), "none": np.uint8(0), "some": np.uint8(9),
}  # fmt: skip
CONSTANTS["sbias"] = CONSTANTS["sx"] * CONSTANTS["sw"]
CONSTANTS = {name: np.asarray(array) for name, array in CONSTANTS.items()}


@pytest.fixture
def check_lowering(check_rewrite: Callable[..., Any]) -> CheckLowering:
    """`check(step, interface, before, after, reason=None)`, where Q and DQ stand for the long names.

    `after` None: the unit stays, and the reason, if one is given, says why. Names of constants are those above.
    """

    def graph(interface: str, nodes: str) -> str:
        nodes = f" {nodes}".replace(" DQ", " DequantizeLinear").replace(" Q(", " QuantizeLinear(")
        declared = [f"{TYPES.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {n}" for n, a in read(nodes).items()]
        domains = 'opset_import: ["": 21, "com.microsoft": 1]'
        return f"<ir_version: 10, {domains}> g {interface} <{', '.join(declared)}> {{ {nodes} }}"

    def read(nodes: str) -> dict[str, np.ndarray]:
        return {name: CONSTANTS[name] for name in re.findall(r"\w+", nodes) if name in CONSTANTS}

    def check(step: Pass, interface: str, before: str, after: str | None, reason: str | None = None) -> None:
        model_inputs = interface.partition(")")[0].strip("( ").split(", ")
        feed = {declared.split()[1]: _values(declared.split()[0]) for declared in model_inputs}
        wanted = None if after is None else graph(interface, after)
        result = check_rewrite(step, graph(interface, before), wanted, feed=feed, **read(before))
        assert [why.detail for _, why in result.declined] == ([] if reason is None else [reason])

    return check


def _values(declared: str) -> np.ndarray:
    dtype, _, shape = declared.rstrip("]").partition("[")
    size = [int(dimension) for dimension in shape.split(",")]
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, size).astype(np.uint8) if dtype == "uint8" else rng.normal(size=size).astype(np.float32)


@pytest.fixture
def substitute() -> Callable[..., tuple[ir.Model, PassResult]]:
    """`substitute(step, interface, nodes, **convs)`: the graph with the step's substitutes in, which gives equal codes.

    `convs` holds the weight shape of each integer convolution, which stands in `nodes` as
    `y = Conv <attributes> (x, name)`; `known` declares values whose shapes count. The runtime optimises both graphs as
    it likes.
    """

    def substitute(
        step: Pass, interface: str, nodes: str, known: str = "", **convs: tuple[int, ...]
    ) -> tuple[ir.Model, PassResult]:
        rng = np.random.default_rng(8)
        words = [*re.findall(r"\w+", nodes), "sx", "zx", "sa", "za"]
        arrays = {name: CONSTANTS[name] for name in words if name in CONSTANTS}
        for name, shape in ((name, shape) for name, shape in convs.items() if name in words):
            arrays[name] = rng.integers(-31, 32, shape).astype(np.int8)
            arrays[f"{name}_scale"] = rng.uniform(0.002, 0.02, shape[0]).astype(np.float32)
            arrays[f"{name}_zero"] = np.zeros(shape[0], np.int8)
            arrays[f"{name}_bias"] = rng.integers(-5000, 5000, shape[0]).astype(np.int32)
        nodes = re.sub(r"= Conv(.*?)\((\w+), (\w+)\)", _integer_conv, nodes)
        declared = [f"{TYPES.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {n}" for n, a in arrays.items()]
        declared += [known] if known else []
        domains = 'opset_import: ["": 21, "com.microsoft": 1]'
        text = f"<ir_version: 10, {domains}> g {interface} <{', '.join(declared)}> {{ {nodes} }}"
        model = ir.from_onnx_text(text, initializers=[ir.tensor(a, name=n) for n, a in arrays.items()])
        feed = {"x": rng.integers(0, 256, static_shape(model.graph.inputs[0])).astype(np.uint8)}
        expected = Session(model).run(feed)
        context = Context()
        context.plan = Plan(target="cpu", format="qoperator", substitutes=(step.name,))
        result = step.run(model, context)
        for old, new in zip(expected, Session(model).run(feed), strict=True):
            np.testing.assert_array_equal(new, old)
        return model, result

    return substitute


def _integer_conv(match: re.Match[str]) -> str:
    attributes, x, name = match.groups()
    return f"= QLinearConv{attributes}({x}, sx, zx, {name}, {name}_scale, {name}_zero, sa, za, {name}_bias)"
