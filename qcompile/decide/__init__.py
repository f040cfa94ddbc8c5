"""Decisions: where integers go, which ranges they have, and which candidate is best."""

from __future__ import annotations

from qcompile.decide.facts import computes_float, node_facts
from qcompile.decide.fits import check_fits
from qcompile.decide.observing import AUTOMATIC, candidate_plans, known_ranges
from qcompile.decide.parameters import activation_scheme, make_plan
from qcompile.decide.placement import Placement, Unit, place

__all__ = [
    "AUTOMATIC",
    "Placement",
    "Unit",
    "activation_scheme",
    "candidate_plans",
    "check_fits",
    "computes_float",
    "known_ranges",
    "make_plan",
    "node_facts",
    "place",
]
