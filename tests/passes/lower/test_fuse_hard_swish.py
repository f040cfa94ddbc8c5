"""fuse-hard-swish: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_hard_swish import FuseHardSwish

CheckLowering = Callable[..., None]
CODES = "(uint8[9,9] x) => (uint8[9,9] y)"


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("[f] t = HardSwish(d) y = Q(t, sy, zy)", "its knees lie between codes"),
        ("[f] t = HardSigmoid(d) y = Q(t, sy, zy)", "its knees lie between codes"),
        ("[f] t = HardSwish(d) u = Neg(t) y = Q(u, sy, zy)", "its output is not quantized for all readers"),
    ],
)
def test_declined(check_lowering: CheckLowering, nodes: str, reason: str) -> None:
    check_lowering(FuseHardSwish(), CODES, f"d = DQ(x, s7, z0) {nodes}", None, reason)


def test_a_gate_and_a_product(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, s3, zx) [f] t = HardSwish(d) y = Q(t, sb, zb)"
    after = (
        "[f_Clip] t_gate = Clip(x, f_low, f_high) "
        "[f] y = com.microsoft.QLinearMul(x, s3, zx, t_gate, f_gate_scale, f_gate_zero_point, sb, zb)"
    )
    check_lowering(FuseHardSwish(), CODES, before, after)


def test_hard_sigmoid_is_a_clamp(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, s3, zx) [f] t = HardSigmoid<alpha=0.16666667>(d) y = Q(t, sgate, zgate)"
    check_lowering(FuseHardSwish(), CODES, before, "[f] y = Clip(x, f_low, f_high)")


def test_hard_sigmoid_on_another_grid(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, s3, zx) [f] t = HardSigmoid<alpha=0.16666667>(d) y = Q(t, sy, zy)"
    check_lowering(FuseHardSwish(), CODES, before, None, "its output has other parameters than its clamped input")
