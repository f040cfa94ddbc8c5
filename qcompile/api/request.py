"""What a compile was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qcompile.errors import PlanError, TargetError
from qcompile.pipeline import Hook, Pipeline
from qcompile.plan import Plan
from qcompile.runtime import Runtime
from qcompile.targets import Target

Progress = Callable[[str, int, int | None], None]
"""Called with (phase, done, total or None)."""


@dataclass(frozen=True)
class Request:
    """What was asked for, once defaults are filled in."""

    target: Target
    format: str
    io_type: str | None
    observer: str | None
    exclude: Sequence[str]
    plan: Plan | None
    pipeline: Pipeline
    runtime: Runtime
    verify_each: bool
    hooks: Sequence[Hook]
    calibration: str
    """`data` or `synthetic`."""

    def emitted_format(self) -> str:
        """`qoperator` or `qdq`. Raises TargetError if the target does not take the one that was asked for."""
        formats = self.target.formats
        if self.format == "auto":
            return formats[0]
        if self.format not in formats:
            raise TargetError(
                f"no format {self.format!r} for target {self.target.name} (it takes {', '.join(formats)})"
            )
        return self.format

    def check_is_for_this(self, plan: Plan) -> None:
        """Raises PlanError if the plan was made for another target or format than is asked for."""
        formats = self.target.formats if self.format == "auto" else (self.format,)
        for what, has, wanted in (
            ("target", plan.target, (self.target.name,)),
            ("format", plan.format, formats),
            ("io type", plan.io_type, (self.io_type or plan.io_type,)),
        ):
            if has not in wanted:
                asked = " or ".join(wanted)
                raise PlanError(f"plan is for {what} {has}, not {asked}; ask for {has}, or save another plan")
