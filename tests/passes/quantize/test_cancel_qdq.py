"""cancel-qdq: text in, text out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.quantize.cancel_qdq import CancelQDQ

CheckRewrite = Callable[..., Any]
CODES = np.arange(256, dtype=np.uint8)


def graph(nodes: str, extra: str = "", outputs: str = "uint8[256] y") -> str:
    declared = ", ".join(["float s, uint8 z", *filter(None, [extra])])
    return f'<ir_version: 10, opset_import: ["": 21]> g (uint8[256] x) => ({outputs}) <{declared}> {{ {nodes} }}'


ROUND_TRIP = "d = DequantizeLinear({0}, s, z) [q] {1} = QuantizeLinear(d, s, z)"
PARAMETERS = {"s": np.array(0.37, np.float32), "z": np.array(9, np.uint8)}


def test_every_code_survives(check_rewrite: CheckRewrite) -> None:
    before = f"[a] t = BitwiseNot(x) {ROUND_TRIP.format('t', 'u')} [b] y = BitwiseNot(u)"
    after = "[a] t = BitwiseNot(x) [b] y = BitwiseNot(t)"
    check_rewrite(CancelQDQ(), graph(before), graph(after), feed={"x": CODES}, **PARAMETERS)


def test_an_output_keeps_its_name(check_rewrite: CheckRewrite) -> None:
    before = f"[a] t = BitwiseNot(x) {ROUND_TRIP.format('t', 'y')}"
    check_rewrite(CancelQDQ(), graph(before), graph("[a] y = BitwiseNot(x)"), feed={"x": CODES}, **PARAMETERS)


def test_the_float_value_stays_for_its_other_readers(check_rewrite: CheckRewrite) -> None:
    outputs = "uint8[256] y, float[256] f"
    rest = "[b] y = BitwiseNot({}) [c] f = Neg(d)"
    before = f"{ROUND_TRIP.format('x', 'u')} {rest.format('u')}"
    after = f"d = DequantizeLinear(x, s, z) {rest.format('x')}"
    check_rewrite(CancelQDQ(), graph(before, "", outputs), graph(after, "", outputs), feed={"x": CODES}, **PARAMETERS)


@pytest.mark.parametrize(("scale", "zero"), [("s2", "z"), ("s", "z2")])
def test_another_grid_rescales(check_rewrite: CheckRewrite, scale: str, zero: str) -> None:
    before = f"d = DequantizeLinear(x, s, z) y = QuantizeLinear(d, {scale}, {zero})"
    others = {"s2": ("float s2", np.array(0.5, np.float32)), "z2": ("uint8 z2", np.array(7, np.uint8))}
    name = next(n for n in (scale, zero) if n in others)
    declared, array = others[name]
    check_rewrite(CancelQDQ(), graph(before, declared), None, feed={"x": CODES}, **PARAMETERS, **{name: array})
