"""fuse-average-pool: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_average_pool import FuseAveragePool

CheckLowering = Callable[..., None]
NOT_WHOLE = "its windows are not all of one size"


def before(attributes: str) -> str:
    return f"d = DQ(x, sx, zx) [pool] t = AveragePool<{attributes}>(d) y = Q(t, sb, zb)"


@pytest.mark.parametrize(
    ("attributes", "kept", "size"),
    [
        ("kernel_shape=[2,2], strides=[2,2]", "kernel_shape=[2,2], strides=[2,2]", "3,3"),
        (
            "count_include_pad=1, kernel_shape=[3,3], pads=[1,1,1,1]",
            "kernel_shape=[3,3], pads=[1,1,1,1]",
            "6,6",
        ),
        ("ceil_mode=1, kernel_shape=[2,3], strides=[2,3]", "kernel_shape=[2,3], strides=[2,3]", "3,2"),
        ("dilations=[2,2], kernel_shape=[2,2]", "dilations=[2,2], kernel_shape=[2,2]", "4,4"),
    ],
    ids=["plain", "padding counts", "nothing to round up", "dilated"],
)
def test_becomes_a_depthwise_convolution(check_lowering: CheckLowering, attributes: str, kept: str, size: str) -> None:
    after = f"[pool] y = QLinearConv<group=8, {kept}>(x, sx, zx, pool_ones, pool_share, pool_zero, sb, zb)"
    check_lowering(FuseAveragePool(), f"(uint8[2,8,6,6] x) => (uint8[2,8,{size}] y)", before(attributes), after)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("kernel_shape=[3,3], pads=[1,1,1,1]", "6,6"),
        ("ceil_mode=1, kernel_shape=[4,4], strides=[4,4]", "2,2"),
        ('auto_pad="SAME_UPPER", kernel_shape=[3,3]', "6,6"),
    ],
    ids=["padding does not count", "the last windows are cut", "padding by rule"],
)
def test_windows_of_several_sizes(check_lowering: CheckLowering, attributes: str, size: str) -> None:
    interface = f"(uint8[2,8,6,6] x) => (uint8[2,8,{size}] y)"
    check_lowering(FuseAveragePool(), interface, before(attributes), None, NOT_WHOLE)


def test_float_output(check_lowering: CheckLowering) -> None:
    interface, nodes = (
        "(uint8[2,3,4,4] x) => (float[2,3,3,3] y)",
        "d = DQ(x, sx, zx) y = AveragePool<kernel_shape=[2,2]>(d)",
    )
    check_lowering(FuseAveragePool(), interface, nodes, None, "its output is not quantized for all readers")
