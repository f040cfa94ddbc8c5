"""move-integers: text in, text out; numbers are in test_integers.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.lower.move_integers import MoveIntegers

CheckLowering = Callable[..., None]
CODES = "(uint8[6,4] x) => (uint8[4,6] y)"


def test_the_node_itself_moves_codes(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, sx, zx) [move] t = Reshape(d, shape) [q] y = Q(t, sx, zx)"
    check_lowering(MoveIntegers(), CODES, before, "[move] y = Reshape(x, shape)")


def test_a_chain(check_lowering: CheckLowering) -> None:
    before = (
        "d = DQ(x, sx, zx) [a] t = Transpose(d) u = Q(t, sx, zx) v = DQ(u, sx, zx) [b] w = Flatten(v) y = Q(w, sx, zx)"
    )
    check_lowering(MoveIntegers(), CODES, before, "[a] u = Transpose(x) [b] y = Flatten(u)")


def test_every_output_of_a_split(check_lowering: CheckLowering) -> None:
    interface = "(uint8[6,4] x) => (uint8[3,4] y, uint8[3,4] z)"
    before = "d = DQ(x, sx, zx) [s] t, u = Split<num_outputs=2>(d) y = Q(t, sx, zx) z = Q(u, sx, zx)"
    check_lowering(MoveIntegers(), interface, before, "[s] y, z = Split<num_outputs=2>(x)")


def test_an_output_that_nobody_reads(check_lowering: CheckLowering) -> None:
    interface = "(uint8[6,4] x) => (uint8[3,4] y)"
    before = "d = DQ(x, sx, zx) [s] t, u = Split<num_outputs=2>(d) y = Q(t, sx, zx)"
    check_lowering(MoveIntegers(), interface, before, "[s] y, u = Split<num_outputs=2>(x)")


def test_a_clamp_that_the_codes_imply_goes(check_lowering: CheckLowering) -> None:
    before = "d = DQ(x, s0, z0) [move] t = Reshape(d, shape) r = Relu(t) y = Q(r, s0, z0)"
    check_lowering(MoveIntegers(), CODES, before, "[move] y = Reshape(x, shape)")


@pytest.mark.parametrize(
    ("interface", "nodes", "reason"),
    [
        (CODES, "t = Transpose(d) y = Q(t, sy, zy)", "input and output have different parameters"),
        ("(uint8[6,4] x) => (float[4,6] y)", "y = Transpose(d)", "its output is not quantized for all readers"),
        (
            "(uint8[6,4] x) => (uint8[3,4] y, float[3,4] u)",
            "t, u = Split<num_outputs=2>(d) y = Q(t, sx, zx)",
            "its output is not quantized for all readers",
        ),
    ],
    ids=["parameters differ", "float output", "one float output of two"],
)
def test_declined(check_lowering: CheckLowering, interface: str, nodes: str, reason: str) -> None:
    check_lowering(MoveIntegers(), interface, f"d = DQ(x, sx, zx) {nodes}", None, reason)


def test_the_indices_of_a_max_pool_are_no_codes(check_lowering: CheckLowering) -> None:
    interface = "(uint8[1,2,4,4] x) => (uint8[1,2,2,2] y, int64[1,2,2,2] i)"
    before = "d = DQ(x, sx, zx) t, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(d) y = Q(t, sx, zx)"
    check_lowering(MoveIntegers(), interface, before, None, "its output is not quantized for all readers")
