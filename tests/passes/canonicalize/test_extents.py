"""Extents: whatever sizes the names stand for, the arithmetic is that of the sizes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from qcompile.passes.canonicalize.extents import Extent, equal, product, quotient, total

SIZES = st.fixed_dictionaries({name: st.integers(1, 9) for name in "abc"})
EXTENTS = st.builds(
    lambda factor, symbols: Extent(factor, tuple(sorted(symbols)) if factor else ()),
    st.integers(0, 12),
    st.lists(st.sampled_from("abc"), max_size=3),
)
NUMBERS = st.integers(-9, 9).map(Extent)


def _size(extent: Extent, sizes: dict[str, int]) -> int:
    """What the extent is where the names have these sizes; a sum is a name of its own."""
    return extent.factor * math.prod(int(eval(symbol, {}, sizes)) for symbol in extent.symbols)


@given(EXTENTS | NUMBERS, EXTENTS | NUMBERS, SIZES)
def test_arithmetic_is_that_of_the_sizes(left: Extent, right: Extent, sizes: dict[str, int]) -> None:
    a, b = _size(left, sizes), _size(right, sizes)
    if (found := product((left, right))) is not None:
        assert _size(found, sizes) == a * b
    if (found := quotient(left, right)) is not None:
        assert _size(found, sizes) * b == a
    if (found := total((left, right))) is not None:
        assert _size(found, sizes) == a + b
    if (same := equal(left, right)) is not None:
        assert same == (a == b)


@given(EXTENTS, NUMBERS, SIZES)
def test_what_has_a_name_is_never_negative(left: Extent, right: Extent, sizes: dict[str, int]) -> None:
    for found in (product((left, right)), total((left, right))):
        assert found is None or not found.symbols or _size(found, sizes) >= 0


def test_sums_do_not_depend_on_the_order() -> None:
    a, b = Extent(1, ("a",)), Extent(2, ("b",))
    assert total((a, b)) == total((b, a)) == Extent(1, ("(a+2*b)",))
    assert total((a, a)) == Extent(2, ("a",))
    assert total((a, None)) is None
