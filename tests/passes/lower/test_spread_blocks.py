"""spread-blocks: text in, text out, and the same codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.lower.spread_blocks import SpreadBlocks
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.targets import find_target

CheckRewrite = Callable[..., Any]
HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
ALLOWED = Context(target=find_target("cpu"), plan=Plan("cpu", substitutes=("spread-blocks",)))


def weights(channels: int) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {
        "s": np.array(0.02, np.float32), "z": np.array(100, np.uint8), "sw": np.array(0.01, np.float32),
        "zw": np.array(0, np.int8), "w": rng.integers(-31, 32, (4 * channels, 4, 1, 1)).astype(np.int8),
        "v": rng.integers(-31, 32, (4, channels, 1, 1)).astype(np.int8),
    }  # fmt: skip


def graph(nodes: str, channels: int = 16, size: str = "3,5", arrays: str = "") -> str:
    declared = f"float s, uint8 z, float sw, int8 zw, int8[{4 * channels},4,1,1] w, int8[4,{channels},1,1] v"
    first = "c = QLinearConv(x, s, z, w, sw, zw, s, z)"
    last = "y = QLinearConv(d, s, z, v, sw, zw, s, z)"
    double = ",".join(d if d.isalpha() else str(2 * int(d)) for d in size.split(","))
    values = f"uint8[1,{4 * channels},{size}] c, uint8[1,{channels},{double}] d"
    interface = f"(uint8[1,4,{size}] x) => (uint8[1,4,{double}] y)"
    return f"{HEAD} g {interface} <{declared}, {values}{arrays}> {{ {first} {nodes} {last} }}"


FEED = {"x": np.random.default_rng(3).integers(0, 256, (1, 4, 3, 5)).astype(np.uint8)}
BLOCKS = "[up] d = DepthToSpace<blocksize=2{}>(c)"


def test_between_convolutions(check_rewrite: CheckRewrite) -> None:
    after = """
        [up_Transpose] d_transpose = Transpose<perm=[0,2,3,1]>(c)
        [up_Reshape] d_reshape = Reshape(d_transpose, up_blocks)
        [up_Transpose_1] d_transpose_1 = Transpose<perm=[0,1,3,2,4]>(d_reshape)
        [up_Reshape_1] d_reshape_1 = Reshape(d_transpose_1, up_image)
        [up] d = Transpose<perm=[0,3,1,2]>(d_reshape_1)
    """
    before, after = graph(BLOCKS.format("")), graph(after, arrays=", int64[5] up_blocks, int64[4] up_image")
    check_rewrite(SpreadBlocks(), before, after, feed=FEED, tolerance=0, context=ALLOWED, **weights(16))


@pytest.mark.parametrize(
    ("attributes", "channels", "size"),
    [(', mode="CRD"', 16, "3,5"), ("", 8, "3,5"), ("", 16, "3,W")],
    ids=["channels outermost", "few channels", "width unknown"],
)
def test_it_stays(check_rewrite: CheckRewrite, attributes: str, channels: int, size: str) -> None:
    before = graph(BLOCKS.format(attributes), channels, size).replace("6,W] y", "6,V] y").replace("6,W] d", "6,V] d")
    check_rewrite(SpreadBlocks(), before, None, feed=FEED, context=ALLOWED, **weights(channels))


def test_floats_behind_it(check_rewrite: CheckRewrite) -> None:
    before = graph(BLOCKS.format("")).replace(
        "y = QLinearConv(d, s, z, v, sw, zw, s, z)", "y = DequantizeLinear(d, s, z)"
    )
    before = before.replace("uint8[1,4,6,10] y", "float[1,16,6,10] y").replace(", int8[4,16,1,1] v", "")
    arrays = {name: array for name, array in weights(16).items() if name != "v"}
    check_rewrite(SpreadBlocks(), before, None, feed=FEED, context=ALLOWED, **arrays)


def test_only_where_the_plan_allows_it(check_rewrite: CheckRewrite) -> None:
    context = Context(target=find_target("cpu"), plan=Plan("cpu"))
    check_rewrite(SpreadBlocks(), graph(BLOCKS.format("")), None, feed=FEED, context=context, **weights(16))
