"""What a compile was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from qcompile.errors import CalibrationError, PlanError, QCompileError, RecipeError, TargetError
from qcompile.pipeline import Hook, Pipeline
from qcompile.plan import IO_TYPES, Plan, Recipe
from qcompile.runtime import Runtime
from qcompile.targets import Target

EFFORTS = ("fast", "default", "max")
"""How much time a compile takes for speed and accuracy."""


@dataclass(frozen=True)
class Request:
    """What was asked for, once defaults are filled in."""

    target: Target
    format: str
    io_type: str | None
    observer: str | None
    exclude: Sequence[str]
    recipe: Recipe | None
    plan: Plan | None
    pipeline: Pipeline
    runtime: Runtime
    verify_each: bool
    hooks: Sequence[Hook]
    calibration: str
    """`data` or `synthetic`."""
    effort: str = "default"
    """`fast` times nothing; `default`; `max`."""
    min_sqnr: float | None = None
    """SQNR of the lowest output that is asked for, in dB; None: the default aim, which speed is weighed against."""
    cache: bool = True
    """Whether what the clock decided is kept on disk, and what it decided before is believed."""
    unknown_inputs: frozenset[str] = frozenset()
    """Inputs whose values had to be made up with nothing to go by."""

    def __post_init__(self) -> None:
        """Raises QCompileError in one line for what cannot be meant."""
        self.emitted_format()
        if self.effort not in EFFORTS:
            raise TargetError(f"no effort {self.effort!r}; use {', '.join(EFFORTS)}")
        if self.io_type not in (None, *IO_TYPES):
            raise TargetError(f"no io type {self.io_type!r}; use {' or '.join(IO_TYPES)}")
        for asked, verb in ((self.exclude, "exclude"), (self.recipe, "rule"), (self.observer, "observe")):
            if self.plan is not None and asked:
                raise PlanError(f"a plan leaves nothing to {verb} (its decisions are replayed as they are); drop one")

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

    def may_choose_float(self) -> bool:
        """Whether speed may decide: not against a form that was asked for."""
        return self.format == "auto" and self.io_type != "quantized"

    def may_time(self) -> bool:
        """Whether the clock may decide: on the machine that the target is, and not for `fast`."""
        return self.may_choose_float() and self.effort != "fast" and self.target.is_host

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


def check_numbers(max_samples: int | None, seed: int, threads: int) -> None:
    """Raises QCompileError in one line for a number that is none, or too small."""
    if max_samples is not None:
        _check_at_least(1, "max_samples", max_samples, CalibrationError)
    _check_at_least(0, "seed", seed, CalibrationError)
    _check_at_least(1, "threads", threads, TargetError)


def check_counts(**counts: Sequence[int]) -> None:
    """Raises TargetError where one of several numbers, by the name of the argument, is no count, or there is none."""
    for what, numbers in counts.items():
        if not isinstance(numbers, Sequence) or not numbers:
            raise TargetError(f"{what} is {numbers!r} (no list of counts); give such as [1, 2]")
        for number in numbers:
            _check_at_least(1, what, number, TargetError)


def _check_at_least(lowest: int, what: str, number: Any, error: type[QCompileError]) -> None:
    if not isinstance(number, Integral) or int(number) < lowest:
        raise error(f"{what} is {number!r} (it counts); give a whole number from {lowest} on")


def check_one_source(calib: Any, input_shapes: Mapping[str, Sequence[int]] | None) -> None:
    """Raises CalibrationError where shapes of synthetic samples are given together with real ones."""
    if calib is not None and input_shapes:
        raise CalibrationError("input_shapes beside calib (they are for synthetic samples only); drop one")


def as_patterns(exclude: Any) -> tuple[str, ...]:
    """One regular expression or several, as several. Raises RecipeError for what is none."""
    given = (exclude,) if isinstance(exclude, str) else exclude
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(pattern, str) for pattern in found):
        raise RecipeError(f"exclude is {exclude!r} (no regular expressions); give a list of strings")
    return found
