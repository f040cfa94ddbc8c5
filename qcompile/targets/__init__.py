"""Targets: where models run, and what runs there on integers, as tables."""

from __future__ import annotations

from qcompile.targets.prices import KernelPrices
from qcompile.targets.registry import find_target, target_names
from qcompile.targets.table import WITHOUT_VNNI, NodeFacts, OpEntry, Role, Target, Trial

__all__ = [
    "WITHOUT_VNNI",
    "KernelPrices",
    "NodeFacts",
    "OpEntry",
    "Role",
    "Target",
    "Trial",
    "find_target",
    "target_names",
]
