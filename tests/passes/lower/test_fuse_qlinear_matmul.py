"""fuse-qlinear-matmul: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

from qcompile.passes.lower.fuse_qlinear_matmul import FuseQLinearMatMul

CheckLowering = Callable[..., None]
INPUTS = "xd = DQ(x, sx, zx) wd = DQ<axis=1>(w2, sw, zw)"


def test_codes_out(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [matmul] t = MatMul(xd, wd) r = Relu(t) y = Q(r, s0, z0)"
    after = "[matmul] y = QLinearMatMul(x, sx, zx, w2, sw, zw, s0, z0)"
    check_lowering(FuseQLinearMatMul(), "(uint8[2,3,8] x) => (uint8[2,3,8] y)", before, after)


def test_float_out(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [matmul] t = MatMul(xd, wd) y = Add(t, bf)"
    after = "[matmul] t = com.microsoft.MatMulIntegerToFloat(x, w2, sx, sw, zx, zw) y = Add(t, bf)"
    check_lowering(FuseQLinearMatMul(), "(uint8[2,3,8] x) => (float[2,3,8] y)", before, after)


def test_float_out_where_the_clamp_is_not_implied(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [matmul] t = MatMul(xd, wd) r = Relu(t) y = Q(r, sy, zy)"
    after = "[matmul] t = com.microsoft.MatMulIntegerToFloat(x, w2, sx, sw, zx, zw) r = Relu(t) y = Q(r, sy, zy)"
    check_lowering(FuseQLinearMatMul(), "(uint8[3,8] x) => (uint8[3,8] y)", before, after)


def test_float_activations_are_no_unit(check_lowering: CheckLowering) -> None:
    before = "wd = DQ<axis=1>(w2, sw, zw) y = MatMul(x, wd)"
    check_lowering(FuseQLinearMatMul(), "(float[3,8] x) => (float[3,8] y)", before, None)
