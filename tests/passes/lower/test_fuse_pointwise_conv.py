"""fuse-pointwise-conv: text in, text out, and equal numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_pointwise_conv import FusePointwiseConv

CheckLowering = Callable[..., None]
INTERFACE = "(uint8[2,4,5,3] x) => (float[2,8,5,3] y)"
INPUTS = "xd = DQ(x, sx, zx) wd = DQ<axis=0>(w4, sw, zw)"


def product(bias: str = "") -> str:
    return f"""[conv_rows] y_rows = Transpose<perm=[0,2,3,1]>(x)
        [conv] y_channels_last = com.microsoft.MatMulIntegerToFloat(y_rows, w4_columns, sx, sw, zx, zw{bias})
        [conv_channels] y = Transpose<perm=[0,3,1,2]>(y_channels_last)"""


def test_without_bias(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [conv] y = Conv<strides=[1,1], pads=[0,0,0,0]>(xd, wd)"
    check_lowering(FusePointwiseConv(), INTERFACE, before, product())


@pytest.mark.parametrize("bias", ["bd", "bf"], ids=["on the grid of the accumulator", "float"])
def test_with_bias(check_lowering: CheckLowering, bias: str) -> None:
    before = f"{INPUTS} bd = DQ<axis=0>(bq, sbias, zbias) [conv] y = Conv(xd, wd, {bias})"
    check_lowering(FusePointwiseConv(), INTERFACE, before, product(", conv_bias_float"))


def test_a_float_clamp_stays(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [conv] t = Conv(xd, wd) y = Relu(t)"
    after = product().replace("y_", "t_").replace("y = ", "t = ") + " y = Relu(t)"
    check_lowering(FusePointwiseConv(), INTERFACE, before, after)


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [("strides=[2,1]", "3,3"), ("pads=[1,0,0,0]", "6,3"), ('auto_pad="SAME_UPPER"', "5,3")],
)
def test_what_is_no_product_stays(check_lowering: CheckLowering, attributes: str, shape: str) -> None:
    interface = INTERFACE.replace("[2,8,5,3]", f"[2,8,{shape}]")
    check_lowering(FusePointwiseConv(), interface, f"{INPUTS} y = Conv<{attributes}>(xd, wd)", None)


def test_codes_out_are_for_another_pass(check_lowering: CheckLowering) -> None:
    interface = INTERFACE.replace("float", "uint8")
    check_lowering(FusePointwiseConv(), interface, f"{INPUTS} t = Conv(xd, wd) y = Q(t, sy, zy)", None)


def test_float_weights_are_no_unit(check_lowering: CheckLowering) -> None:
    interface = "(float[2,4,5,3] x) => (float[2,8,5,3] y)"
    check_lowering(FusePointwiseConv(), interface, "wd = DQ<axis=0>(w4, sw, zw) y = Conv(x, wd)", None)
