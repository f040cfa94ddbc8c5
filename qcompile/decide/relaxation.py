"""Which integer nodes to give back to float when the outputs are too far off: those whose input fits 8 bits worst."""

from __future__ import annotations

import math

from qcompile.calibrate import Observations
from qcompile.decide.placement import Placement
from qcompile.plan import Code, Form, Plan, Reason
from qcompile.quant import HistogramObserver, input_sqnr_db

AIM_DB = 28.0
"""SQNR of the lowest output from which on nothing is given back: classifiers lose about 1 % there."""

TRIALS = (1, 2, 4)
"""How many nodes are given back together, in turn: two bad inputs hide each other when only one is mended."""

WORTH_DB, NEEDED_DB = 3.0, 2.0
"""What giving nodes back must gain: half the noise power, or a third below the aim. Less is not worth their speed."""


def relaxations(placement: Placement, plan: Plan, seen: Observations) -> list[dict[str, Reason]]:
    """Sets of nodes to keep float, with the reason, the smallest first; empty where no input is known well enough."""
    ranked = []
    for unit in placement.units:
        name = unit.activations[0].name or ""
        observer = seen.observers.get(placement.groups.get(name, ""))
        is_known = name in plan.values and name not in plan.migrations  # of what was scaled, other values were seen
        is_fixed = unit.entry.weights and unit.form is not Form.DYNAMIC and is_known
        is_wanted = unit.node.name in placement.overrides.integer
        if not is_fixed or is_wanted or not isinstance(observer, HistogramObserver):
            continue
        sqnr_db = input_sqnr_db(observer.histogram, plan.values[name])
        if math.isfinite(sqnr_db):
            ranked.append((sqnr_db, unit.node.name or ""))
    worst = sorted(ranked, key=lambda entry: entry[0])
    reasons = {
        name: Reason(Code.KEPT_FOR_ACCURACY, f"its input in 8 bits has {sqnr_db:.0f} dB") for sqnr_db, name in worst
    }
    names = list(reasons)
    return [{n: reasons[n] for n in names[:count]} for count in TRIALS if count < len(names)]
