"""inline-if: a branch that is always taken is no branch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize import InlineIf
from qcompile.pipeline import PassResult

CheckRewrite = Callable[..., PassResult]

HEADER = '<ir_version: 10, opset_import: ["": 21]>\n'
BRANCHES = """<
        then_branch = t () => (float[A,B,C] p) { u = Unsqueeze(x, axes) p = Abs(u) },
        else_branch = e () => (float[D,E] q) { q = Neg(x) }
    >"""


@pytest.mark.parametrize(
    ("rank", "after"),
    [("N,M", "u = Unsqueeze(x, axes) p = Abs(u) y = Relu(p)"), ("N,M,8", "q = Neg(x) y = Relu(q)")],
    ids=["then", "else"],
)
def test_a_rank_decides(check_rewrite: CheckRewrite, rank: str, after: str) -> None:
    shape = f"float[{'1,' if rank == 'N,M' else ''}{rank}] y"
    weights = "<int64[1] axes = {0}, int64 two = {2}>"
    check_rewrite(
        InlineIf(),
        f"{HEADER} g (float[{rank}] x) => ({shape}) {weights} {{"
        f" s = Shape(x) r = Size(s) c = Equal(r, two) z = If (c) {BRANCHES} y = Relu(z) }}",
        f"{HEADER} g (float[{rank}] x) => ({shape}) {weights} {{ {after} }}",
    )


def test_a_dimension_decides_and_the_output_keeps_its_name(check_rewrite: CheckRewrite) -> None:
    check_rewrite(
        InlineIf(),
        HEADER
        + """g (float[N,1] x) => (float[K] y) <int64 axis = {1}, int64 one = {1}, int64[1] axes = {1}> {
    s = Shape(x) d = Gather(s, axis) c = Equal(d, one)
    y = If (c) <
        then_branch = t () => (float[K] p) { p = Squeeze(x, axes) },
        else_branch = e () => (float[K,L] q) { q = Identity(x) }
    >
}""",
        HEADER + "g (float[N,1] x) => (float[K] y) <int64[1] axes = {1}> { y = Squeeze(x, axes) }",
    )


def test_the_branch_that_would_fail_is_not_taken(check_rewrite: CheckRewrite) -> None:
    """An LSTM takes three dimensions, so the input had four: the last of them is 1."""
    weights = "<float[1,8,3] w, float[1,8,2] r, int64[1] last = {-1}, int64[1] one = {1}>"
    arrays = {name: np.full((1, 8, size), 0.25, np.float32) for name, size in (("w", 3), ("r", 2))}
    before = (
        HEADER
        + f"""g (float[T,B,3,K] x) => (float[A,B,C,D] y) {weights} {{
    s = Shape(x) d = Gather(s, last) c = Equal(d, one)
    z = If (c) <
        then_branch = t () => (float[T,B,3] p) {{ p = Squeeze(x, last) }},
        else_branch = e () => (float[T,B,3,K] q) {{ q = Identity(x) }}
    >
    y = LSTM <hidden_size = 2> (z, w, r)
}}"""
    )
    after = HEADER + f"g (float[T,B,3,K] x) => (float[A,B,C,D] y) {weights} {{ p = Squeeze(x, last)"
    after += " y = LSTM <hidden_size = 2> (p, w, r) }"
    feed = {"x": np.ones((2, 1, 3, 1), np.float32)}
    check_rewrite(InlineIf(), before, after, feed=feed, **arrays)


def test_equal_names_in_two_branches_stay_apart(check_rewrite: CheckRewrite) -> None:
    before = """g (float[2,3] x, bool f) => (float[2,3] y) <int64 two = {2}> {
    s = Shape(x) r = Size(s) c = Equal(r, two)
    a = If (c) <
        then_branch = t () => (float[2,3] p) { v = Abs(x) p = Neg(v) },
        else_branch = e () => (float[2,3] q) { q = Identity(x) }
    >
    b = If (f) <
        then_branch = t () => (float[2,3] p) { v = Exp(x) p = Neg(v) },
        else_branch = e () => (float[2,3] q) { q = Identity(x) }
    >
    y = Add(a, b)
}"""
    after = """g (float[2,3] x, bool f) => (float[2,3] y) {
    v_1 = Abs(x) p_1 = Neg(v_1)
    b = If (f) <
        then_branch = t () => (float[2,3] p) { v = Exp(x) p = Neg(v) },
        else_branch = e () => (float[2,3] q) { q = Identity(x) }
    >
    y = Add(p_1, b)
}"""
    feed = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "f": np.array(True)}
    check_rewrite(InlineIf(), HEADER + before, HEADER + after, feed=feed)


def test_a_computed_condition_stays(check_rewrite: CheckRewrite) -> None:
    before = f"{HEADER} g (float[2,3] x, bool c) => (float[A,B,C] y) <int64[1] axes = {{0}}>"
    before += f" {{ z = If (c) {BRANCHES} y = Relu(z) }}"
    feed = {"x": np.ones((2, 3), np.float32), "c": np.array(True)}
    check_rewrite(InlineIf(), before, None, feed=feed)
