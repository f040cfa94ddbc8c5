"""Sizes that are not numbers yet: products of named dimensions, compared and calculated with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """A number times dimensions known by name, such as 2 * batch * sequence; two equal ones are equal in every run.

    The dimensions are never negative, so neither is an extent with a symbol.
    """

    factor: int
    symbols: tuple[str, ...] = ()
    """Sorted; empty where the extent is a number."""

    @property
    def number(self) -> int | None:
        """The extent, if it is a number."""
        return None if self.symbols else self.factor

    def __mul__(self, other: Extent) -> Extent:
        factor = self.factor * other.factor
        return Extent(factor, tuple(sorted(self.symbols + other.symbols)) if factor else ())

    def __str__(self) -> str:
        return "*".join(map(str, (*(() if self.factor == 1 and self.symbols else (self.factor,)), *self.symbols)))


ONE = Extent(1)

MaybeExtent = Extent | None
"""None: nothing is known."""


def extents(numbers: Iterable[int]) -> tuple[Extent, ...]:
    """Numbers as extents."""
    return tuple(Extent(int(number)) for number in numbers)


def product(factors: Iterable[MaybeExtent]) -> MaybeExtent:
    """The product, or None where a factor is unknown or only the sign of the result is known."""
    result = ONE
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return None if result.symbols and result.factor < 0 else result


def quotient(dividend: MaybeExtent, divisor: MaybeExtent) -> MaybeExtent:
    """What is left of the dividend, or None where the division is not known to leave no remainder."""
    if dividend is None or divisor is None or divisor.factor == 0 or dividend.factor % divisor.factor:
        return None
    missing = Counter(divisor.symbols) - Counter(dividend.symbols)
    left = Counter(dividend.symbols) - Counter(divisor.symbols)
    return None if missing else Extent(dividend.factor // divisor.factor, tuple(sorted(left.elements())))


def total(terms: Iterable[MaybeExtent]) -> MaybeExtent:
    """The sum, or None where a term is unknown; a sum of different dimensions becomes a dimension of its own."""
    counts: Counter[tuple[str, ...]] = Counter()
    for term in terms:
        if term is None:
            return None
        counts[term.symbols] += term.factor
    parts = [Extent(factor, symbols) for symbols, factor in sorted(counts.items()) if factor]
    if all(not part.symbols for part in parts):
        return Extent(sum(part.factor for part in parts))
    if any(part.factor < 0 for part in parts):
        return None  # it might be negative
    if len(parts) == 1:
        return parts[0]
    return Extent(1, (f"({'+'.join(map(str, parts))})",))


def broadcast(left: MaybeExtent, right: MaybeExtent) -> MaybeExtent:
    """The size along an axis of two operands that broadcast."""
    if left == right or right == ONE:
        return left
    if left == ONE:
        return right
    numbers = [side for side in (left, right) if side is not None and side.number is not None]
    return numbers[0] if numbers else None  # beside a number other than 1 there is 1, or the same number


def equal(left: MaybeExtent, right: MaybeExtent) -> bool | None:
    """Whether the two are the same, or None where that differs from run to run."""
    if left is None or right is None:
        return None
    if left == right:
        return True
    numbers = [side.number for side in (left, right)]
    apart = None not in numbers or any(number is not None and number < 0 for number in numbers)
    return False if apart else None
