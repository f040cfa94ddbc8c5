"""Where a result runs: what loads it, on which CPUs its integers are exact, and for which its forms were chosen."""

from __future__ import annotations

from collections.abc import Sequence

from qcompile.api.request import Request
from qcompile.plan import Plan
from qcompile.runtime import host

TUNED_FOR = "tuned_for"
"""The note of a plan that says for which kind of machine its forms were chosen."""


def tuned_for(request: Request, *, timed: bool) -> str:
    """What the choice of forms rests on: the kind of this machine, if they were timed; a table; empty if on neither."""
    target, threads = request.target, request.runtime.threads
    if timed:
        sets = ", ".join(sorted(host().features)) or "unknown instruction sets"
        return f"{host().architecture} with {sets}, {threads} thread{'' if threads == 1 else 's'}"
    if not request.may_choose_float() or target.prices is None:
        return ""
    return f"by the table of target {target.name}, {'measured' if target.measured else 'derived, not measured'}"


def where_it_runs(plan: Plan, requires: str, exact_on: Sequence[str]) -> dict[str, str]:
    """What the metadata of the model say of it: kinds of machines, never one machine."""
    return {
        "qcompile.requires": requires,
        "qcompile.exact_on": ", ".join(exact_on),
        "qcompile.tuned_for": plan.notes.get(TUNED_FOR, ""),
    }
