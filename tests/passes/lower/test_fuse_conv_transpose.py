"""fuse-conv-transpose: text in, text out; numbers are in test_integers.py and tests/quant/test_sub_pixel.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_conv_transpose import FuseConvTranspose

CheckLowering = Callable[..., None]
INPUTS = "xd = DQ(x, sx, zx) wd = DQ<axis=1>(wt, sw, zw) bd = DQ<axis=0>(bq, sbias, zbias)"
NOT_SQUARE = "not 2-d, grouped, dilated, or strides that differ"
WEIGHT = "wt_phases, sw_phases, zw_phases"


def test_blocks_beside_each_other(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [up] t = ConvTranspose<strides=[4,4]>(xd, wd, bd) [relu] r = Relu(t) y = Q(r, sy, z0)"
    after = (
        f"[up] t_qlinearconv = QLinearConv<kernel_shape=[1,1], pads=[0,0,0,0]>"
        f"(x, sx, zx, {WEIGHT}, sy, z0, bq_phases) "
        "[up_DepthToSpace] y = DepthToSpace<blocksize=4>(t_qlinearconv)"
    )
    check_lowering(FuseConvTranspose(), "(uint8[1,4,5,5] x) => (uint8[1,8,20,20] y)", before, after)


def test_blocks_that_overlap(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [up] t = ConvTranspose<pads=[1,1,1,1], strides=[2,2]>(xd, wd) y = Q(t, sy, zy)"
    after = (
        f"[up] t_qlinearconv = QLinearConv<kernel_shape=[2,2], pads=[1,1,1,1]>(x, sx, zx, {WEIGHT}, sy, zy) "
        "[up_DepthToSpace] t_depthtospace = DepthToSpace<blocksize=2>(t_qlinearconv) "
        "[up_Slice] y = Slice(t_depthtospace, up_starts, up_ends, up_axes)"
    )
    check_lowering(FuseConvTranspose(), "(uint8[1,4,5,5] x) => (uint8[1,8,10,10] y)", before, after)


@pytest.mark.parametrize(
    ("attributes", "size", "reason"),
    [
        ("strides=[2,1]", "12,8", NOT_SQUARE),
        ("dilations=[2,2]", "11,11", NOT_SQUARE),
        ("output_shape=[9,9], strides=[2,2]", "9,9", "its pads are no numbers below its kernel's size"),
    ],
)
def test_declined(check_lowering: CheckLowering, attributes: str, size: str, reason: str) -> None:
    before = f"{INPUTS} t = ConvTranspose<{attributes}>(xd, wd) y = Q(t, sy, zy)"
    check_lowering(FuseConvTranspose(), f"(uint8[1,4,5,5] x) => (uint8[1,8,{size}] y)", before, None, reason)


def test_float_bias(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} t = ConvTranspose(xd, wd, bf) y = Q(t, sy, zy)"
    check_lowering(
        FuseConvTranspose(), "(uint8[1,4,5,5] x) => (uint8[1,8,8,8] y)", before, None, "its bias is not quantized"
    )


def test_float_output(check_lowering: CheckLowering) -> None:
    interface, before = "(uint8[1,4,5,5] x) => (float[1,8,8,8] y)", f"{INPUTS} y = ConvTranspose(xd, wd, bd)"
    check_lowering(FuseConvTranspose(), interface, before, None, "its output is not quantized for all readers")
