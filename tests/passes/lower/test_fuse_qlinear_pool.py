"""fuse-qlinear-pool: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

from qcompile.passes.lower.fuse_qlinear_pool import FuseQLinearPool

CheckLowering = Callable[..., None]


def test_global_average(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, sx, zx) [pool] t = GlobalAveragePool(d) y = Q(t, sb, zb)"
    after = "[pool] y = com.microsoft.QLinearGlobalAveragePool<channels_last=0>(x, sx, zx, sb, zb)"
    check_lowering(FuseQLinearPool(), "(uint8[2,3,4,4] x) => (uint8[2,3,1,1] y)", before, after)


def test_float_output(check_lowering: CheckLowering) -> None:
    interface, before = "(uint8[2,3,4,4] x) => (float[2,3,1,1] y)", "d = DQ(x, sx, zx) y = GlobalAveragePool(d)"
    check_lowering(FuseQLinearPool(), interface, before, None, "its output is not quantized for all readers")
