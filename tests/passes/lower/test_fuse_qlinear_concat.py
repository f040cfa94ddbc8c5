"""fuse-qlinear-concat: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

from qcompile.passes.lower.fuse_qlinear_concat import FuseQLinearConcat

CheckLowering = Callable[..., None]
PAIR = "(uint8[2,3] a, uint8[2,5] b) => (uint8[2,8] y)"


def test_one_grid_only_copies(check_lowering: CheckLowering) -> None:
    before = "ad = DQ(a, sx, zx) bd = DQ(b, sx, zx) [cat] t = Concat<axis=1>(ad, bd) y = Q(t, sx, zx)"
    check_lowering(FuseQLinearConcat(), PAIR, before, "[cat] y = Concat<axis=1>(a, b)")


def test_several_grids(check_lowering: CheckLowering) -> None:
    before = "ad = DQ(a, sa, za) bd = DQ(b, sx, zx) [cat] t = Concat<axis=1>(ad, bd) y = Q(t, sx, zx)"
    after = "[cat] y = com.microsoft.QLinearConcat<axis=1>(sx, zx, a, sa, za, b, sx, zx)"
    check_lowering(FuseQLinearConcat(), PAIR, before, after)


def test_float_part(check_lowering: CheckLowering) -> None:
    interface = "(uint8[2,3] a, float[2,5] b) => (uint8[2,8] y)"
    before = "ad = DQ(a, sa, za) t = Concat<axis=1>(ad, b) y = Q(t, sx, zx)"
    check_lowering(FuseQLinearConcat(), interface, before, None)


def test_float_output(check_lowering: CheckLowering) -> None:
    interface = "(uint8[2,3] a, uint8[2,5] b) => (float[2,8] y)"
    before = "ad = DQ(a, sx, zx) bd = DQ(b, sx, zx) y = Concat<axis=1>(ad, bd)"
    check_lowering(FuseQLinearConcat(), interface, before, None, "its output is not quantized for all readers")
