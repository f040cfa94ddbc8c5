"""shift-zero-point: the same integers, stored one code lower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.lower.shift_zero_point import ShiftZeroPoint
from qcompile.pipeline import Context
from qcompile.plan import Plan
from qcompile.runtime import Session
from qcompile.targets import find_target

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(11)
SHIFTING = Context(target=find_target("cpu"), plan=Plan("cpu", substitutes=("shift-zero-point",)))
TYPES = {"float32": "float"}


def arrays(filters: int, channels: int, kernel: int) -> dict[str, np.ndarray]:
    """Codes of 6 bits, which no CPU saturates."""
    return {
        "sx": np.array(0.02, np.float32),
        "zx": np.array(119, np.uint8),
        "w": RNG.integers(-31, 32, (filters, channels, kernel, kernel)).astype(np.int8),
        "sw": RNG.uniform(0.002, 0.01, filters).astype(np.float32),
        "zw": np.zeros(filters, np.int8),
        "sy": np.array(0.4, np.float32),
        "zy": np.array(90, np.uint8),
    }


def graph(
    size: int, made: int, tensors: dict[str, np.ndarray], kernel: int, group: int = 1, w: str = "w, sw, zw"
) -> str:
    filters, channels = tensors[w.split(",")[0]].shape[:2]
    declared = [f"{TYPES.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {n}" for n, a in tensors.items()]
    interface = f"(uint8[1,{channels * group},{size},{size}] x) => (uint8[1,{filters},{made},{made}] y)"
    attributes = f"group={group}, kernel_shape=[{kernel},{kernel}]"
    conv = f"[c] y = QLinearConv<{attributes}>(x, sx, zx, {w}, sy, zy)"
    return f'<ir_version: 10, opset_import: ["": 21]> g {interface} <{", ".join(declared)}> {{ {conv} }}'


def image(channels: int, size: int) -> dict[str, np.ndarray]:
    return {"x": RNG.integers(0, 256, (1, channels, size, size)).astype(np.uint8)}


@pytest.mark.parametrize(("channels", "kernel", "size"), [(64, 3, 30), (512, 1, 29), (256, 1, 28), (32, 3, 8)], ids=str)
def test_long_sums(channels: int, kernel: int, size: int, check_rewrite: CheckRewrite) -> None:
    tensors = arrays(8, channels, kernel)
    made = size - kernel + 1
    shifted = {k: v for k, v in tensors.items() if k not in ("w", "zw")}
    shifted |= {"c_shifted": tensors["w"] - 1, "c_minus_one": tensors["zw"] - 1}
    check_rewrite(
        ShiftZeroPoint(),
        graph(size, made, tensors, kernel),
        graph(size, made, shifted, kernel, w="c_shifted, sw, c_minus_one"),
        feed=image(channels, size),
        tolerance=0,
        context=SHIFTING,
        **tensors,
    )


@pytest.mark.parametrize("per_channel", [True, False])
def test_same_codes_from_the_fast_kernels(per_channel: bool) -> None:
    tensors = arrays(32, 64, 3)
    if not per_channel:
        tensors |= {"sw": np.array(0.005, np.float32), "zw": np.array(0, np.int8)}
    before = ir.from_onnx_text(
        graph(12, 10, tensors, 3), initializers=[ir.tensor(array, name=name) for name, array in tensors.items()]
    )
    after = before.clone()
    assert ShiftZeroPoint().run(after, SHIFTING).changes == 1
    feed = image(64, 12)
    np.testing.assert_array_equal(Session(after).run(feed)[0], Session(before).run(feed)[0])


@pytest.mark.parametrize(
    ("channels", "size", "group", "change"),
    [
        (255, 8, 1, {}),
        (256, 29, 1, {}),
        (512, 8, 2, {}),
        (512, 8, 1, {"zw": np.ones(8, np.int8)}),
        (512, 8, 1, {"w": np.full((8, 512, 1, 1), 7, np.uint8), "zw": np.zeros(8, np.uint8)}),
    ],
    ids=["short sums", "short for a large image", "two groups", "zero point", "unsigned weights"],
)
def test_hands_off(
    channels: int, size: int, group: int, change: dict[str, np.ndarray], check_rewrite: CheckRewrite
) -> None:
    tensors = arrays(8, channels, 1) | change
    text = graph(size, size, tensors, 1, group)
    result = check_rewrite(
        ShiftZeroPoint(), text, None, feed=image(channels * group, size), context=SHIFTING, **tensors
    )
    assert result.declined == ()


def test_no_code_is_left_below(check_rewrite: CheckRewrite) -> None:
    tensors = arrays(8, 512, 1)
    tensors["w"][3, 100] = -128
    result = check_rewrite(
        ShiftZeroPoint(), graph(4, 4, tensors, 1), None, feed=image(512, 4), context=SHIFTING, **tensors
    )
    assert [(name, why.detail) for name, why in result.declined] == [("c", "a weight of -128 has no code below it")]
