"""mask-integers: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.mask_integers import MaskIntegers

CheckLowering = Callable[..., None]
CODES = "(uint8[6,4] x) => (uint8[6,4] y)"
ZEROS = "d = DQ(x, sx, zx) e = DQ(none, sb, z0)"


@pytest.mark.parametrize(("sides", "codes"), [("d, e", "x, m_zero"), ("e, d", "m_zero, x")])
def test_zeros_on_either_side(check_lowering: CheckLowering, sides: str, codes: str) -> None:
    before = f"{ZEROS} [m] t = Where(mask, {sides}) y = Q(t, sx, zx)"
    check_lowering(MaskIntegers(), CODES, before, f"[m] y = Where(mask, {codes})")


@pytest.mark.parametrize(
    ("interface", "nodes", "reason"),
    [
        (CODES, f"{ZEROS} t = Where(mask, d, e) y = Q(t, sy, zy)", "input and output have different parameters"),
        (
            CODES,
            "d = DQ(x, sx, zx) e = DQ(some, sb, z0) t = Where(mask, d, e) y = Q(t, sx, zx)",
            "it does not choose between values and zeros",
        ),
        (
            "(uint8[6,4] x) => (float[6,4] y)",
            f"{ZEROS} y = Where(mask, d, e)",
            "its output is not quantized for all readers",
        ),
    ],
)
def test_declined(check_lowering: CheckLowering, interface: str, nodes: str, reason: str) -> None:
    check_lowering(MaskIntegers(), interface, nodes, None, reason)


def test_a_mask_of_floats_is_no_unit(check_lowering: CheckLowering) -> None:
    check_lowering(MaskIntegers(), CODES, "d = DQ(x, sx, zx) t = Where(mask, d, zero) y = Q(t, sx, zx)", None)
