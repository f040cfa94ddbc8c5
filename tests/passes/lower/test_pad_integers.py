"""pad-integers: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.pad_integers import PadIntegers

CheckLowering = Callable[..., None]
CODES = "(uint8[2,2] x) => (uint8[3,5] y)"


def before(attributes: str, inputs: str, after: str = "sx, zx") -> str:
    return f"d = DQ(x, sx, zx) [pad] t = Pad{attributes}(d, {inputs}) y = Q(t, {after})"


@pytest.mark.parametrize("inputs", ["sides", "sides, zero"])
def test_zeros_become_zero_points(check_lowering: CheckLowering, inputs: str) -> None:
    check_lowering(PadIntegers(), CODES, before("", inputs), "[pad] y = Pad(x, sides, zx)")


def test_only_some_axes(check_lowering: CheckLowering) -> None:
    interface, after = "(uint8[2,2] x) => (uint8[2,5] y)", "[pad] y = Pad(x, ends, zx, last)"
    check_lowering(PadIntegers(), interface, before("", "ends, zero, last"), after)


def test_copies_of_what_is_there(check_lowering: CheckLowering) -> None:
    after = '[pad] y = Pad<mode="edge">(x, sides)'
    check_lowering(PadIntegers(), CODES, before('<mode="edge">', "sides, six"), after)


@pytest.mark.parametrize(
    ("inputs", "after", "reason"),
    [
        ("sides, six", "sx, zx", "it pads with another number than 0"),
        ("sides, zero", "sy, zy", "input and output have different parameters"),
    ],
)
def test_declined(check_lowering: CheckLowering, inputs: str, after: str, reason: str) -> None:
    check_lowering(PadIntegers(), CODES, before("", inputs, after), None, reason)
