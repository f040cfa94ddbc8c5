"""clamp-integers: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.clamp_integers import ClampIntegers

CheckLowering = Callable[..., None]
CODES = "(uint8[9,9] x) => (uint8[9,9] y)"


@pytest.mark.parametrize("clamp", ["Relu(d)", "Clip(d, low, high)", "Clip(d, low)", "Clip(d, , high)"])
def test_between_the_codes_of_the_bounds(check_lowering: CheckLowering, clamp: str) -> None:
    before = f"d = DQ(x, sx, zx) [clamp] t = {clamp} y = Q(t, sx, zx)"
    check_lowering(ClampIntegers(), CODES, before, "[clamp] y = Clip(x, clamp_low, clamp_high)")


def test_other_parameters_behind_it(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, sx, zx) t = Relu(d) y = Q(t, s0, z0)"
    check_lowering(ClampIntegers(), CODES, before, None, "input and output have different parameters")


def test_float_output(check_lowering: CheckLowering) -> None:
    before, reason = "d = DQ(x, sx, zx) y = Relu(d)", "its output is not quantized for all readers"
    check_lowering(ClampIntegers(), "(uint8[9,9] x) => (float[9,9] y)", before, None, reason)
