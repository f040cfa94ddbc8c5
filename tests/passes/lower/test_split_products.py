"""split-products: text in, text out, and the same numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.lower.split_products import SplitProducts
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.targets import find_target

CheckRewrite = Callable[..., Any]
HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
ALLOWED = Context(target=find_target("cpu"), plan=Plan("cpu", substitutes=("split-products",)))
RNG = np.random.default_rng(5)
FEED = {"x": RNG.integers(0, 256, (1, 4, 8)).astype(np.uint8)}
WHOLE: dict[str, np.ndarray] = {
    "w": RNG.integers(-60, 61, (8, 12)).astype(np.int8),
    "sw": RNG.uniform(0.01, 0.02, 12).astype(np.float32),
    "zw": np.zeros(12, np.int8),
    "b": RNG.normal(size=12).astype(np.float32),
}
SHARED: dict[str, np.ndarray] = {
    "sx": np.array(0.03, np.float32),
    "zx": np.array(119, np.uint8),
    "s": np.array(0.015, np.float32),
    "z": np.array(0, np.int8),
    "sizes": np.array([6, 4, 2]),
    "halves": np.array([2, 2]),
}
PARTS = {
    f"{name}_{number}": array[..., start:end]
    for number, (start, end) in enumerate([(0, 6), (6, 10), (10, 12)])
    for name, array in WHOLE.items()
}
ARRAYS = WHOLE | SHARED | PARTS
TYPES = {"float32": "float"}
OUTPUTS = "float[1,4,6] q, float[1,4,4] k, float[1,4,2] v"


def used(body: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in ARRAYS.items() if re.search(rf"[(, ]{name}[,)]", body)}


def graph(body: str, outputs: str = OUTPUTS) -> str:
    arrays = used(body).items()
    declared = [f"{TYPES.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {name}" for name, a in arrays]
    if "(t, " in body:
        declared.append("float[1,4,12] t")
    return f"{HEAD} g (uint8[1,4,8] x) => ({outputs}) <{', '.join(declared)}> {{ {body} }}"


def product(name: str, result: str, w: str, sw: str, zw: str, b: str = "") -> str:
    tail = f", {b}" if b else ""
    return f"[{name}] {result} = com.microsoft.MatMulIntegerToFloat(x, {w}, sx, {sw}, zx, {zw}{tail})"


SPLIT = "q, k, v = Split<axis={}>(t, sizes)"


@pytest.mark.parametrize("axis", [-1, 2])
@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        (("w", "sw", "zw", "b"), [(f"w_{n}", f"sw_{n}", f"zw_{n}", f"b_{n}") for n in range(3)]),
        (("w", "s", "z"), [(f"w_{n}", "s", "z") for n in range(3)]),
    ],
    ids=["by column, with bias", "by tensor"],
)
def test_apart(check_rewrite: CheckRewrite, axis: int, inputs: tuple[str, ...], parts: list[tuple[str, ...]]) -> None:
    before = f"{product('p', 't', *inputs)} {SPLIT.format(axis)}"
    made = zip(("p", "p_1", "p_2"), "qkv", parts, strict=True)
    after = " ".join(product(name, result, *part) for name, result, part in made)
    check_rewrite(
        SplitProducts(),
        graph(before),
        graph(after),
        feed=FEED,
        tolerance=0,
        context=ALLOWED,
        **used(before),
    )


WHOLE_PRODUCT = product("p", "t", "w", "sw", "zw", "b")


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        (f"{WHOLE_PRODUCT} q, k = Split<axis=1>(t, halves)", "float[1,2,12] q, float[1,2,12] k"),
        (f"{WHOLE_PRODUCT} {SPLIT.format(-1)}", f"{OUTPUTS}, float[1,4,12] t"),
    ],
    ids=["rows", "read elsewhere"],
)
def test_it_stays(check_rewrite: CheckRewrite, body: str, outputs: str) -> None:
    check_rewrite(SplitProducts(), graph(body, outputs), None, feed=FEED, context=ALLOWED, **used(body))


def test_not_unless_the_plan_says_so(check_rewrite: CheckRewrite) -> None:
    body = f"{WHOLE_PRODUCT} {SPLIT.format(-1)}"
    check_rewrite(SplitProducts(), graph(body), None, feed=FEED, context=Context(plan=Plan("cpu")), **used(body))
