"""Where a result runs: what loads it, on which CPUs its integers are exact, and for which its forms were chosen."""

from __future__ import annotations

from collections.abc import Sequence

from qcompile.api.request import Request
from qcompile.runtime import host


def tuned_for(request: Request, speed: float | None) -> str:
    """What the choice of forms rests on: this machine, if they were timed; a table, a plan; empty if on neither."""
    if speed is None:
        return _untimed(request)
    threads = request.runtime.threads
    return f"{host()}, {threads} thread{'' if threads == 1 else 's'}"


def where_it_runs(request: Request, speed: float | None, requires: str, exact_on: Sequence[str]) -> dict[str, str]:
    """The same as metadata of the model: kinds of machines, never one machine."""
    machine = f"{host().architecture} with {', '.join(sorted(host().features)) or 'unknown instruction sets'}"
    return {
        "qcompile.requires": requires,
        "qcompile.exact_on": ", ".join(exact_on),
        "qcompile.tuned_for": machine if speed is not None else _untimed(request),
    }


def _untimed(request: Request) -> str:
    target = request.target
    if request.plan is not None:
        return "as the plan has it"
    if not request.may_choose_float() or target.prices is None:
        return ""
    return f"by the table of target {target.name}, {'measured' if target.measured else 'derived, not measured'}"
