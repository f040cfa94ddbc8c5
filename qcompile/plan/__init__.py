"""Plans, decisions and reasons: what will be done and why, as data."""

from __future__ import annotations

from qcompile.plan.file import dumps, load, loads, sha256
from qcompile.plan.interface import interface_metadata, interface_params
from qcompile.plan.plan import IO_TYPES, Decision, Form, Plan
from qcompile.plan.reason import Code, Reason
from qcompile.plan.recipe import Recipe, Rule, load_recipe, parse_recipe

__all__ = [
    "IO_TYPES",
    "Code",
    "Decision",
    "Form",
    "Plan",
    "Reason",
    "Recipe",
    "Rule",
    "dumps",
    "interface_metadata",
    "interface_params",
    "load",
    "load_recipe",
    "loads",
    "parse_recipe",
    "sha256",
]
