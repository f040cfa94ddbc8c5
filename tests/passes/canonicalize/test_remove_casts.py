"""remove-casts: one Cast where the first of two loses nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.remove_casts import RemoveCasts
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]
TYPES = {
    "float": 1,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "double": 11,
    "bfloat16": 16,
}


def chain(first: str, middle: str, last: str) -> tuple[str, str, str]:
    """(interface, two Casts, one Cast)."""
    one = f"z = Cast <to = {TYPES[last]}> "
    return f"({first}[4] x) => ({last}[4] z)", f"y = Cast <to = {TYPES[middle]}> (x) {one}(y)", f"{one}(x)"


@pytest.mark.parametrize(
    "types",
    [
        ("float", "double", "float"),
        ("float16", "float", "float16"),
        ("float16", "float", "int32"),
        ("float", "double", "float16"),
        ("bool", "float", "int64"),
        ("int32", "double", "float"),
        ("uint8", "float16", "float"),
        ("int32", "int64", "float"),
    ],
)
def test_nothing_is_lost(check_nodes: CheckNodes, types: tuple[str, str, str]) -> None:
    interface, before, after = chain(*types)
    check_nodes(RemoveCasts(), interface, before, after)


@pytest.mark.parametrize(
    "types",
    [
        ("float", "float16", "float"),
        ("float", "int32", "float"),
        ("int64", "double", "int64"),
        ("int32", "float", "int64"),
        ("double", "float", "double"),
        ("float", "bool", "float"),
    ],
)
def test_something_is_lost(check_nodes: CheckNodes, types: tuple[str, str, str]) -> None:
    interface, before, _ = chain(*types)
    check_nodes(RemoveCasts(), interface, before, None)


def test_numbers_as_text_depend_on_their_type(check_nodes: CheckNodes) -> None:
    interface, before = "(float16[4] x) => (int64[1] z)", "y = Cast <to = 1> (x) t = Cast <to = 8> (y) z = Shape(t)"
    check_nodes(RemoveCasts(), interface, before, None)


def test_three_in_a_row_with_another_reader_in_between(check_nodes: CheckNodes) -> None:
    interface = "(float16[4] x) => (float[4] z, double[4] u)"
    before = "a = Cast <to = 1> (x) b = Cast <to = 11> (a) u = Neg(b) z = Cast <to = 1> (b)"
    after = "b = Cast <to = 11> (x) u = Neg(b) z = Cast <to = 1> (x)"
    check_nodes(RemoveCasts(), interface, before, after, values="float[4] a, double[4] b")


def test_cast_like(check_nodes: CheckNodes) -> None:
    interface, before = "(float[4] x, int64[2] t) => (int64[4] z)", "z = CastLike(x, t)"
    check_nodes(RemoveCasts(), interface, before, "z = Cast <to = 7> (x)")


def test_cast_like_something_unknown_stays(check_nodes: CheckNodes) -> None:
    interface, before = "(float[4] x, int64[2] i) => (int64[4] z)", "t = Neg(i) z = CastLike(x, t)"
    check_nodes(RemoveCasts(), interface, before, None, feed={"x": np.ones(4, "float32"), "i": np.zeros(2, "int64")})
