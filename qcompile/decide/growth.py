"""Substitutes that make the file noticeably larger are left out: int8 models are small, too."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from qcompile.plan import Plan

GROWTH, SMALL = 0.1, 0.4
"""By how much substitutes may make the file larger, and up to which share of the float32 form in any case: 8 bits for
32 make a quarter of it, and what surrounds the weights of a small model adds to that."""


def without_growth(plan: Plan, file_bytes: Callable[[Plan], int], float_bytes: int) -> Plan:
    """The plan with those of its substitutes that together keep the file small, taken in their order.

    `file_bytes` tells how large the file of a plan is, `float_bytes` how large that of the float model.
    """
    small = float_bytes * SMALL
    if not plan.substitutes or (size := file_bytes(plan)) <= small:
        return plan
    limit = max(file_bytes(only(plan, ())) * (1 + GROWTH), small)
    if size <= limit:
        return plan
    kept: list[str] = []
    for name in plan.substitutes:
        if file_bytes(only(plan, [*kept, name])) <= limit:
            kept.append(name)
    return only(plan, kept)


def only(plan: Plan, names: Collection[str]) -> Plan:
    """The plan with these substitutes of its own."""
    return replace(plan, substitutes=tuple(name for name in plan.substitutes if name in names))
