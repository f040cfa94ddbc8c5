"""Decisions: where integers go, which ranges they have, and which candidate is best."""

from __future__ import annotations

from qcompile.decide.accuracy import AccuracySearch, Choice
from qcompile.decide.attention import Product, attention_products, sources, with_integer_products
from qcompile.decide.bias_correction import bias_shifts, mean_axes
from qcompile.decide.costly_storage import without_costly_storage
from qcompile.decide.drafting import AUTOMATIC, Drafter, Method, Step, known_ranges
from qcompile.decide.estimate import cheaper_in_float
from qcompile.decide.facts import computes_float, node_facts
from qcompile.decide.fits import check_fits
from qcompile.decide.forms import further_forms
from qcompile.decide.front import FrontPoint, pareto
from qcompile.decide.growth import without_growth
from qcompile.decide.memory import Memory, fingerprint
from qcompile.decide.migration import range_axes, scale_migrations
from qcompile.decide.output_precision import precise_outputs
from qcompile.decide.parameters import activation_scheme, make_plan
from qcompile.decide.placement import Placement, Unit, place, unseen
from qcompile.decide.prices import slowdown
from qcompile.decide.recipe_rules import NO_OVERRIDES, Overrides, apply_recipe
from qcompile.decide.relaxation import AIM_DB, relaxations
from qcompile.decide.relaxation_by_share import relaxations_by_share
from qcompile.decide.rounding import WeightRounder, weight_rounder
from qcompile.decide.scale_links import ScaleLink, scale_links
from qcompile.decide.sensing import Sensing, is_large
from qcompile.decide.speed import SpeedSearch, Timed, kept_for_speed
from qcompile.decide.stopwatch import Stopwatch

__all__ = [
    "AIM_DB",
    "AUTOMATIC",
    "NO_OVERRIDES",
    "AccuracySearch",
    "Choice",
    "Drafter",
    "FrontPoint",
    "Memory",
    "Method",
    "Overrides",
    "Placement",
    "Product",
    "ScaleLink",
    "Sensing",
    "SpeedSearch",
    "Step",
    "Stopwatch",
    "Timed",
    "Unit",
    "WeightRounder",
    "activation_scheme",
    "apply_recipe",
    "attention_products",
    "bias_shifts",
    "cheaper_in_float",
    "check_fits",
    "computes_float",
    "fingerprint",
    "further_forms",
    "is_large",
    "kept_for_speed",
    "known_ranges",
    "make_plan",
    "mean_axes",
    "node_facts",
    "pareto",
    "place",
    "precise_outputs",
    "range_axes",
    "relaxations",
    "relaxations_by_share",
    "scale_links",
    "scale_migrations",
    "slowdown",
    "sources",
    "unseen",
    "weight_rounder",
    "with_integer_products",
    "without_costly_storage",
    "without_growth",
]
