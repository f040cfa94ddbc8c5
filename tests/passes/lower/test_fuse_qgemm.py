"""fuse-qgemm: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_qgemm import FuseQGemm

CheckLowering = Callable[..., None]
CODES = "(uint8[3,8] x) => (uint8[3,8] y)"
FLOATS = "(uint8[3,8] x) => (float[3,8] y)"
INPUTS = "xd = DQ(x, sx, zx) wd = DQ<axis=1>(w2, sw, zw) bd = DQ<axis=0>(bq, sbias, zbias)"


@pytest.mark.parametrize(("attributes", "axis", "kept"), [("<transB=1>", 0, "<transB=1>"), ("<alpha=1.0>", 1, "")])
def test_codes_out(check_lowering: CheckLowering, attributes: str, axis: int, kept: str) -> None:
    inputs = INPUTS.replace("axis=1", f"axis={axis}")
    before = f"{inputs} [gemm] t = Gemm{attributes}(xd, wd, bd) r = Relu(t) y = Q(r, s0, z0)"
    after = f"[gemm] y = com.microsoft.QGemm{kept}(x, sx, zx, w2, sw, zw, bq, s0, z0)"
    check_lowering(FuseQGemm(), CODES, before, after)


def test_without_bias(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [gemm] t = Gemm(xd, wd) y = Q(t, sy, zy)"
    check_lowering(FuseQGemm(), CODES, before, "[gemm] y = com.microsoft.QGemm(x, sx, zx, w2, sw, zw, , sy, zy)")


def test_float_out(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [gemm] y = Gemm(xd, wd, bd)"
    check_lowering(FuseQGemm(), FLOATS, before, "[gemm] y = com.microsoft.QGemm(x, sx, zx, w2, sw, zw, bq)")


def test_float_out_for_several_readers(check_lowering: CheckLowering) -> None:
    interface = "(uint8[3,8] x) => (uint8[3,8] y, float[3,8] f)"
    after = "[gemm] t = com.microsoft.QGemm(x, sx, zx, w2, sw, zw, bq) y = Q(t, sy, zy) f = Neg(t)"
    check_lowering(FuseQGemm(), interface, f"{INPUTS} [gemm] t = Gemm(xd, wd, bd) y = Q(t, sy, zy) f = Neg(t)", after)


@pytest.mark.parametrize(
    ("gemm", "reason"),
    [
        ("Gemm(xd, wd, bf)", "its bias is not quantized"),
        ("Gemm<alpha=0.5>(xd, wd, bd)", "alpha, beta or transA"),
        ("Gemm<beta=0.5>(xd, wd, bd)", "alpha, beta or transA"),
        ("Gemm(f, wd, bd)", None),
    ],
)
def test_declined(check_lowering: CheckLowering, gemm: str, reason: str | None) -> None:
    interface = "(uint8[3,8] x, float[3,8] f) => (float[3,8] y)"
    check_lowering(FuseQGemm(), interface, f"{INPUTS} y = {gemm}", None, reason)


def test_transposed_activations_are_declined(check_lowering: CheckLowering) -> None:
    interface = "(uint8[8,3] x) => (float[3,8] y)"
    check_lowering(FuseQGemm(), interface, f"{INPUTS} y = Gemm<transA=1>(xd, wd, bd)", None, "alpha, beta or transA")
