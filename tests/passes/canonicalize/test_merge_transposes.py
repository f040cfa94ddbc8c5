"""merge-transposes: one permutation for two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qcompile.passes.canonicalize.merge_transposes import MergeTransposes
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

X = "(float[2,3,4] x) => (float[a,b,c] z)"
FIRST = "[a] y = Transpose <perm = [0, 2, 1]> (x)"
SECOND = "[b] z = Transpose <perm = [1, 0, 2]> (y)"


def test_two(check_nodes: CheckNodes) -> None:
    check_nodes(MergeTransposes(), X, f"{FIRST} {SECOND}", "[a] z = Transpose <perm = [2, 0, 1]> (x)")


def test_three(check_nodes: CheckNodes) -> None:
    before = f"{FIRST} [b] u = Transpose <perm = [1, 0, 2]> (y) [c] z = Transpose <perm = [1, 2, 0]> (u)"
    check_nodes(MergeTransposes(), X, before, "[a] z = Transpose <perm = [0, 1, 2]> (x)")


def test_reversals_without_perm(check_nodes: CheckNodes) -> None:
    check_nodes(MergeTransposes(), X, f"{FIRST} [b] z = Transpose(y)", "[a] z = Transpose <perm = [1, 2, 0]> (x)")
    before = "[a] y = Transpose(x) [b] z = Transpose(y)"
    check_nodes(MergeTransposes(), X, before, "[a] z = Transpose <perm = [0, 1, 2]> (x)")


@pytest.mark.parametrize(
    ("interface", "more"),
    [
        ("(float[2,3,4] x) => (float[a,b,c] z, float[d,e,f] y)", ""),
        ("(float[2,3,4] x) => (float[a,b,c] z, float[d,e,f] u)", "[c] u = Relu(y)"),
    ],
    ids=["output", "second-reader"],
)
def test_the_value_between_is_wanted(check_nodes: CheckNodes, interface: str, more: str) -> None:
    check_nodes(MergeTransposes(), interface, f"{FIRST} {SECOND} {more}", None)
