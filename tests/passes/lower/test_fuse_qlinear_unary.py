"""fuse-qlinear-unary: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_qlinear_unary import FuseQLinearUnary

CheckLowering = Callable[..., None]


@pytest.mark.parametrize("op", ["Sigmoid", "LeakyRelu<alpha=0.25>"])
def test_with_attributes(check_lowering: CheckLowering, op: str) -> None:
    before = f"d = DQ(x, sx, zx) [f] t = {op}(d) y = Q(t, sy, zy)"
    after = f"[f] y = com.microsoft.QLinear{op}(x, sx, zx, sy, zy)"
    check_lowering(FuseQLinearUnary(), "(uint8[3,4] x) => (uint8[3,4] y)", before, after)


def test_two_readers(check_lowering: CheckLowering) -> None:
    interface = "(uint8[3,4] x) => (uint8[3,4] y, float[3,4] t)"
    before = "d = DQ(x, sx, zx) t = Sigmoid(d) y = Q(t, sy, zy)"
    check_lowering(FuseQLinearUnary(), interface, before, None, "its output is not quantized for all readers")
