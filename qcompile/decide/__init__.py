"""Decisions: where integers go, which ranges they have, and which candidate is best."""

from __future__ import annotations

from qcompile.decide.bias_correction import bias_shifts, mean_axes
from qcompile.decide.facts import computes_float, node_facts
from qcompile.decide.fits import check_fits
from qcompile.decide.observing import AUTOMATIC, candidate_plans, choose, known_ranges
from qcompile.decide.parameters import activation_scheme, make_plan
from qcompile.decide.placement import Placement, Unit, place, unseen
from qcompile.decide.relaxation import AIM_DB, WORTH_DB, relaxations

__all__ = [
    "AIM_DB",
    "AUTOMATIC",
    "WORTH_DB",
    "Placement",
    "Unit",
    "activation_scheme",
    "bias_shifts",
    "candidate_plans",
    "check_fits",
    "choose",
    "computes_float",
    "known_ranges",
    "make_plan",
    "mean_axes",
    "node_facts",
    "place",
    "relaxations",
    "unseen",
]
