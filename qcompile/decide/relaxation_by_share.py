"""Which integer nodes to give back to float, by what their quantization was measured to do to the outputs."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qcompile.decide.placement import Placement
from qcompile.plan import Code, Plan, Reason
from qcompile.targets import Target
from qcompile.verify import Sensitivity, float_nodes

STEPS = (1, 2, 4, 8)
"""How many of the worst quantizations are undone together, in turn."""

MOST_WORK = 0.25
"""Share of the multiply-adds that may be given back: with more in float, little is left of the speed."""


def relaxations_by_share(
    canonical: ir.Model,
    placement: Placement,
    plan: Plan,
    target: Target,
    found: Sensitivity,
    macs: Mapping[str, int] | None = None,
) -> list[dict[str, Reason]]:
    """Sets of nodes to keep float, with the reason, the smallest first, each holding those before it.

    A quantization is passed over if undoing it would take a node that has to be an integer one, all the units, or more
    than a quarter of the multiply-adds, where these are given by node name. Empty where nothing was measured.
    """
    units, macs = set(placement.unit_names), macs or {}
    budget = MOST_WORK * sum(macs.values())
    kept: dict[str, Reason] = {}
    sets = []
    undone = 0
    for share in found.shares:
        if undone == STEPS[-1] or share.share <= 0:
            break
        nodes = float_nodes(canonical, plan, target, share.gate)
        together = kept.keys() | nodes.keys()
        is_wanted = nodes.keys() & placement.overrides.integer.keys()
        if is_wanted or units <= together or sum(macs.get(name, 0) for name in together) > budget:
            continue
        undone += 1
        detail = f"in 8 bits is {100 * share.share:.0f} % of the error at output {found.output}"
        for name, what in nodes.items():
            verb = detail.replace(" is ", " are ", 1) if what == "weights" else detail
            kept.setdefault(name, Reason(Code.KEPT_FOR_ACCURACY, f"its {what} {verb}"))
        if undone in STEPS:
            sets.append(dict(kept))
    return sets
