"""What computes on integers between two integer convolutions, and what does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import Placement, place
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
Decided = Callable[[Placement], dict[str, str]]

CPU = find_target("cpu")

BETWEEN = """g (float[1, 4, 8, 8] x) => (float[1, 4, H, W] y) {
    [conv1] a = Conv(x, kernel)
    [op] b = OP
    [conv2] y = Conv(b, kernel)
}"""
OPERANDS = {
    "sides": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "mask": np.arange(8) < 5,
    "zero": np.array(0, np.float32),
    "one": np.array(1, np.float32),
    "each": np.ones((4, 1, 2, 2), np.float32),
}


@pytest.mark.parametrize(
    ("op", "group"),
    [
        ("AveragePool<kernel_shape = [2, 2]>(a)", "b"),
        ("ConvTranspose<strides = [2, 2]>(a, kernel)", "b"),
        ("Pad(a, sides)", "a"),
        ("Pad(a, sides, zero)", "a"),
        ('Pad<mode = "reflect">(a, sides)', "a"),
        ("Where(mask, a, zero)", "a"),
        ("Where(mask, zero, a)", "a"),
    ],
)
def test_between_integers(model: Model, decided: Decided, op: str, group: str) -> None:
    placement = place(model(BETWEEN.replace("OP", op), **OPERANDS), CPU)
    assert decided(placement) == {"conv1": "integer", "op": "integer", "conv2": "integer"}
    assert placement.groups["b"] == group


@pytest.mark.parametrize(
    "op",
    [
        "AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(a)",
        "ConvTranspose<group = 4>(a, each)",
        "Pad(a, sides, one)",
        "Where(mask, a, one)",
        "Where(mask, a, a)",
    ],
)
def test_what_stays_float_between_integers(model: Model, decided: Decided, op: str) -> None:
    assert decided(place(model(BETWEEN.replace("OP", op), **OPERANDS), CPU))["op"] == "unsupported-form"


def test_a_pooling_of_floats_stays_float(model: Model, decided: Decided) -> None:
    """Behind it there is less to quantize, and 8-bit pooling with channels first is slow."""
    text = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
        [pool] a = MaxPool <kernel_shape = [1, 1]> (x)
        [conv] y = Conv(a, kernel)
    }"""
    assert decided(place(model(text), CPU)) == {"pool": "not-between-integers", "conv": "integer"}
