"""One lowering on one QDQ unit: text in, text out, and equal codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.pipeline import Pass

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
    # 3 is 60 steps of s3, and 42.9 of s7; the gate is what hard-sigmoid makes of s3 and zx
    "s3": scale(0.05), "s7": scale(0.07), "sgate": scale(0.05) / scale(6), "zgate": np.uint8(61),
    "zero": scale(0), "six": scale(6), "low": scale(-1), "high": scale(1.5), "shape": np.array([4, 6], np.int64),
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
