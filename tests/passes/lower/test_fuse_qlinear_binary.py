"""fuse-qlinear-binary: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.fuse_qlinear_binary import FuseQLinearBinary

CheckLowering = Callable[..., None]
PAIR = "(uint8[3,4] a, uint8[4] b) => (uint8[3,4] y)"
INPUTS = "ad = DQ(a, sa, za) bd = DQ(b, sb, zb)"


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_two_tensors(check_lowering: CheckLowering, op: str) -> None:
    after = f"[op] y = com.microsoft.QLinear{op}(a, sa, za, b, sb, zb, sy, zy)"
    check_lowering(FuseQLinearBinary(), PAIR, f"{INPUTS} [op] t = {op}(ad, bd) y = Q(t, sy, zy)", after)


def test_relu_behind_the_residual(check_lowering: CheckLowering) -> None:
    before = f"{INPUTS} [add] t = Add(ad, bd) r = Relu(t) y = Q(r, s0, z0)"
    after = "[add] y = com.microsoft.QLinearAdd(a, sa, za, b, sb, zb, s0, z0)"
    check_lowering(FuseQLinearBinary(), PAIR, before, after)


def test_the_same_tensor_twice(check_lowering: CheckLowering) -> None:
    after = "[add] y = com.microsoft.QLinearAdd(a, sa, za, a, sa, za, sy, zy)"
    interface = "(uint8[3,4] a) => (uint8[3,4] y)"
    check_lowering(FuseQLinearBinary(), interface, "d = DQ(a, sa, za) [add] t = Add(d, d) y = Q(t, sy, zy)", after)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("t = Add(ad, f) y = Q(t, sy, zy)", None),
        ("t = Add(ad, bd) r = Relu(t) y = Q(r, sy, zy)", "its output is not quantized for all readers"),
    ],
    ids=["float operand", "clamp not implied"],
)
def test_declined(check_lowering: CheckLowering, nodes: str, reason: str | None) -> None:
    interface = "(uint8[3,4] a, uint8[4] b, float[3,4] f) => (uint8[3,4] y)"
    check_lowering(FuseQLinearBinary(), interface, f"{INPUTS} {nodes}", None, reason)


def test_float_output_of_the_graph(check_lowering: CheckLowering) -> None:
    interface = "(uint8[3,4] a, uint8[4] b) => (float[3,4] t)"
    before, reason = f"{INPUTS} t = Mul(ad, bd)", "its output is not quantized for all readers"
    check_lowering(FuseQLinearBinary(), interface, before, None, reason)
