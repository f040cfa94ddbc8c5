"""fuse-qlinear-conv: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_qlinear_conv import FuseQLinearConv

CheckLowering = Callable[..., None]
CODES = "(uint8[1,4,5,5] x) => (uint8[1,8,5,5] y)"
INPUTS = "xd = DQ(x, sx, zx) wd = DQ<axis=0>(w4, sw, zw) bd = DQ<axis=0>(bq, sbias, zbias)"
NOT_ALONE = "its output is not quantized for all readers"


def test_with_bias_and_attributes(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [conv] t = Conv<group=1, strides=[1,1]>(xd, wd, bd) [q] y = Q(t, sy, zy)"
    after = "[conv] y = QLinearConv<group=1, strides=[1,1]>(x, sx, zx, w4, sw, zw, sy, zy, bq)"
    check_lowering(FuseQLinearConv(), CODES, before, after)


def test_without_bias(check_lowering: CheckLowering) -> None:
    before = "xd = DQ(x, sx, zx) wd = DQ<axis=0>(w4, sw, zw) [conv] t = Conv(xd, wd) y = Q(t, sy, zy)"
    check_lowering(FuseQLinearConv(), CODES, before, "[conv] y = QLinearConv(x, sx, zx, w4, sw, zw, sy, zy)")


@pytest.mark.parametrize(
    ("clamps", "scale"),
    [
        ("[relu] y1 = Relu(t)", "s0"),
        ("[clip] y1 = Clip(t, zero, six)", "s6"),
        ("[clip] y1 = Clip(t, zero)", "s0"),
        ("[clip] y1 = Clip(t, , six)", "s6"),
        ("[relu] u = Relu(t) [clip] y1 = Clip(u, zero, six)", "s6"),
    ],
)
def test_clamps_that_saturation_implies(check_lowering: CheckLowering, clamps: str, scale: str) -> None:
    before = f"{INPUTS} [conv] t = Conv(xd, wd, bd) {clamps} y = Q(y1, {scale}, z0)"
    after = f"[conv] y = QLinearConv(x, sx, zx, w4, sw, zw, {scale}, z0, bq)"
    check_lowering(FuseQLinearConv(), CODES, before, after)


@pytest.mark.parametrize(
    "clamp",
    [
        "Relu(t) y = Q(u, sy, zy)",
        "Clip(t, zero, six) y = Q(u, s0, z0)",
        "Clip(t, low, six) y = Q(u, sy, zy)",
    ],
    ids=["zero point is not 0", "scale is wider than 6/255", "bound inside the range"],
)
def test_clamps_that_are_not_implied(check_lowering: CheckLowering, clamp: str) -> None:
    check_lowering(FuseQLinearConv(), CODES, f"{INPUTS} [conv] t = Conv(xd, wd, bd) u = {clamp}", None, NOT_ALONE)


@pytest.mark.parametrize(
    ("outputs", "after_conv"),
    [
        ("float[1,8,5,5] t", ""),
        ("float[1,8,5,5] f", "f = Neg(t)"),
        ("uint8[1,8,5,5] f", "f = Q(t, s0, z0)"),
    ],
    ids=["graph output", "float reader", "two quantizers"],
)
def test_somebody_else_reads_the_float_output(check_lowering: CheckLowering, outputs: str, after_conv: str) -> None:
    interface = f"(uint8[1,4,5,5] x) => (uint8[1,8,5,5] y, {outputs})"
    before = f"{INPUTS} [conv] t = Conv(xd, wd, bd) y = Q(t, sy, zy) {after_conv}"
    check_lowering(FuseQLinearConv(), interface, before, None, NOT_ALONE)


def test_float_bias(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [conv] t = Conv(xd, wd, bf) y = Q(t, sy, zy)"
    check_lowering(FuseQLinearConv(), CODES, before, None, "its bias is not quantized")


def test_bias_off_the_grid_of_the_accumulator(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} b = DQ<axis=0>(bq, sw, zbias) [conv] t = Conv(xd, wd, b) y = Q(t, sy, zy)"
    check_lowering(FuseQLinearConv(), CODES, before, None, "its bias is not on the grid of the accumulator")


def test_float_convolution_is_no_unit(check_lowering: CheckLowering) -> None:
    interface = "(float[1,4,5,5] x) => (uint8[1,8,5,5] y)"
    before = "wd = DQ<axis=0>(w4, sw, zw) t = Conv(x, wd) y = Q(t, sy, zy)"
    check_lowering(FuseQLinearConv(), interface, before, None)
