"""pool-before-activation: text in, text out, and the same codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.lower.pool_before_activation import PoolBeforeActivation
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.targets import find_target

CheckRewrite = Callable[..., Any]
HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
ALLOWED = Context(target=find_target("cpu"), plan=Plan("cpu", substitutes=("pool-before-activation",)))
FEED = {"x": np.random.default_rng(3).integers(0, 256, (1, 2, 6, 6)).astype(np.uint8)}
ARRAYS: dict[str, Any] = {
    "s": np.array(0.05, np.float32), "z": np.array(100, np.uint8), "sy": np.array(0.031, np.float32),
    "zy": np.array(20, np.uint8), "low": np.array(40, np.uint8), "high": np.array(180, np.uint8),
}  # fmt: skip
POOL = "MaxPool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>"
OUTPUT = "uint8[1,2,3,3] y"


def used(nodes: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in ARRAYS.items() if re.search(rf"\b{name}\b", nodes)}


def graph(nodes: str, outputs: str = OUTPUT, inputs: str = "uint8[1,2,6,6] x") -> str:
    types = {"float32": "float", "uint8": "uint8"}
    declared = ", ".join(f"{types[array.dtype.name]} {name}" for name, array in used(nodes).items())
    return f"{HEAD} g ({inputs}) => ({outputs}) <{declared}> {{ {nodes} }}"


@pytest.mark.parametrize(
    "function",
    [
        "com.microsoft.QLinearLeakyRelu<alpha=0.2>({}, s, z, sy, zy)",
        "com.microsoft.QLinearSigmoid({}, s, z, sy, zy)",
        "Clip({}, low, high)",
        "Clip({}, , high)",
    ],
)
def test_swapped(check_rewrite: CheckRewrite, function: str) -> None:
    before = f"[act] a = {function.format('x')} [pool] y = {POOL}(a)"
    after = f"[pool] y_maxpool = {POOL}(x) [act] y = {function.format('y_maxpool')}"
    check_rewrite(
        PoolBeforeActivation(), graph(before), graph(after), feed=FEED, tolerance=0, context=ALLOWED, **used(before)
    )


LEAKY = "[act] a = com.microsoft.QLinearLeakyRelu<alpha={}>(x, s, z, sy, zy)"


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        (f"{LEAKY.format(-0.2)} y = {POOL}(a)", OUTPUT),
        (f"{LEAKY.format(0.2)} y = {POOL}(a)", f"{OUTPUT}, uint8[1,2,6,6] a"),
        (f"{LEAKY.format(0.2)} y, i = {POOL}(a)", f"{OUTPUT}, int64[1,2,3,3] i"),
        (f"{LEAKY.format(0.2)} y = MaxPool<kernel_shape=[4,4]>(a)", OUTPUT),
    ],
    ids=["falls", "read elsewhere", "indices", "does not stride"],
)
def test_it_stays(check_rewrite: CheckRewrite, nodes: str, outputs: str) -> None:
    check_rewrite(PoolBeforeActivation(), graph(nodes, outputs), None, feed=FEED, context=ALLOWED, **used(nodes))


def test_computed_bounds_stay(check_rewrite: CheckRewrite) -> None:
    nodes = f"a = Clip(x, bound) y = {POOL}(a)"
    before = graph(nodes, inputs="uint8[1,2,6,6] x, uint8 bound")
    feed = FEED | {"bound": np.array(40, np.uint8)}
    check_rewrite(PoolBeforeActivation(), before, None, feed=feed, context=ALLOWED, **used(nodes))


def test_only_where_the_plan_allows_it(check_rewrite: CheckRewrite) -> None:
    context = Context(target=find_target("cpu"), plan=Plan("cpu"))
    before = f"{LEAKY.format(0.2)} y = {POOL}(a)"
    check_rewrite(PoolBeforeActivation(), graph(before), None, feed=FEED, context=context, **used(before))
