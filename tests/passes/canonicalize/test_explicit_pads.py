"""explicit-pads: numbers for every rule, checked against what the runtime makes of the rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.explicit_pads import ExplicitPads
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(3)
W = RNG.normal(size=(3, 2, 4, 3)).astype("float32")
WT = RNG.normal(size=(2, 3, 4, 3)).astype("float32")
KNOWN = "(float[1,2,7,8] x) => (float[a,b,c,d] y)"
UNKNOWN = "(float[N,2,H,W] x) => (float[a,b,c,d] y)"
FEED = {"x": RNG.normal(size=(1, 2, 7, 8)).astype("float32")}


def conv(pads: str, strides: int = 1, dilations: int = 1, op: str = "Conv", w: str = "w") -> str:
    both = f"dilations = [{dilations}, {dilations}]"
    more = f"kernel_shape = [4, 3], pads = [{pads}], strides = [{strides}, {strides}]"
    return f"y = {op} <{both}, group = 1, {more}> (x, {w})"


@pytest.mark.parametrize(
    ("rule", "strides", "pads"),
    [
        ("SAME_UPPER", 1, "1, 1, 2, 1"),
        ("SAME_LOWER", 1, "2, 1, 1, 1"),
        ("SAME_UPPER", 2, "1, 0, 2, 1"),
        ("SAME_LOWER", 3, "2, 1, 1, 0"),
        ("VALID", 2, "0, 0, 0, 0"),
        ("NOTSET", 2, "0, 0, 0, 0"),
    ],
)
def test_conv_of_known_size(check_nodes: CheckNodes, rule: str, strides: int, pads: str) -> None:
    before = f'y = Conv <auto_pad = "{rule}", strides = [{strides}, {strides}]> (x, w)'
    check_nodes(ExplicitPads(), KNOWN, before, conv(pads, strides), w=W)


def test_conv_of_unknown_size_with_stride_1(check_nodes: CheckNodes) -> None:
    before = 'y = Conv <auto_pad = "SAME_UPPER"> (x, w)'
    check_nodes(ExplicitPads(), UNKNOWN, before, conv("1, 1, 2, 1"), feed=FEED, w=W)


def test_defaults_are_written_out_for_a_weight_that_is_an_input(check_nodes: CheckNodes) -> None:
    interface = "(float[1,2,7,8] x, float[3,2,4,3] v) => (float[a,b,c,d] y)"
    check_nodes(ExplicitPads(), interface, "y = Conv(x, v)", conv("0, 0, 0, 0", w="v"))


@pytest.mark.parametrize(
    ("rule", "strides", "dilations", "pads"),
    [
        ("SAME_UPPER", 1, 1, "1, 1, 2, 1"),
        ("SAME_LOWER", 2, 1, "1, 1, 1, 0"),
        ("SAME_UPPER", 2, 2, "2, 1, 3, 2"),
        ("VALID", 3, 1, "0, 0, 0, 0"),
    ],
)
def test_conv_transpose_needs_no_size(
    check_nodes: CheckNodes, rule: str, strides: int, dilations: int, pads: str
) -> None:
    attributes = f"strides = [{strides}, {strides}], dilations = [{dilations}, {dilations}]"
    before = f'y = ConvTranspose <auto_pad = "{rule}", {attributes}> (x, w)'
    after = conv(pads, strides, dilations, "ConvTranspose")
    check_nodes(ExplicitPads(), UNKNOWN, before, after, feed=FEED, w=WT)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize(("rule", "pads"), [("SAME_UPPER", "0, 0, 1, 1"), ("SAME_LOWER", "1, 1, 0, 0")])
def test_pools(check_nodes: CheckNodes, op: str, rule: str, pads: str) -> None:
    interface = "(float[1,2,7,7] x) => (float[1,2,4,4] y)"
    before = f'y = {op} <auto_pad = "{rule}", kernel_shape = [2, 2], strides = [2, 2]> (x)'
    after = f"y = {op} <kernel_shape = [2, 2], pads = [{pads}], strides = [2, 2]> (x)"
    check_nodes(ExplicitPads(), interface, before, after)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (UNKNOWN, 'y = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)'),
        (UNKNOWN, 'y = MaxPool <auto_pad = "SAME_LOWER", kernel_shape = [3, 3], strides = [2, 2]> (x)'),
        (KNOWN, 'y = MaxPool <auto_pad = "VALID", ceil_mode = 1, kernel_shape = [2, 2], strides = [2, 2]> (x)'),
        (KNOWN, "y = ConvTranspose <output_shape = [9, 9]> (x, t)"),
        (KNOWN, 'y = ConvTranspose <auto_pad = "SAME_UPPER", strides = [5, 5]> (x, t)'),
    ],
    ids=["conv", "pool", "ceil", "output-shape", "stride-beyond-kernel"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str) -> None:
    assert check_nodes(ExplicitPads(), interface, before, None, feed=FEED, w=W, t=WT).declined


def test_what_is_explicit_already(check_nodes: CheckNodes) -> None:
    check_nodes(ExplicitPads(), KNOWN, conv("1, 1, 1, 1"), None, w=W)
