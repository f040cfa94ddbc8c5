"""The clock behind the search for speed: whole nets side by side, and the price of every unit in both forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qcompile.decide.accuracy import Choice
from qcompile.decide.prices import Prices, count_elements, priced
from qcompile.ir import saved_size
from qcompile.pipeline import Trace
from qcompile.plan import Plan
from qcompile.runtime import Feed, Runs, Runtime, node_times, profile, speed_ratios

CLEAR = 1.1
"""By how much one choice has to beat another in each of three rounds for it to be clear which is faster."""


@dataclass(frozen=True)
class Stopwatch:
    """Times what plans become on this host, on one feed."""

    model: ir.Model
    """The canonical float model that names in plans refer to."""
    original: Runs
    """The float model as it came: what nothing may be slower than."""
    feed: Feed
    runtime: Runtime
    build: Callable[[Plan], tuple[ir.Model, Trace]]
    """The model that a plan makes of the canonical one, and what its passes did."""
    load: Callable[[ir.Model], Runs]
    """A session of such a model that takes and gives what the float model does."""
    built: list[tuple[Plan, ir.Model, Trace]] = field(default_factory=list)
    """What was built already."""
    priced: list[tuple[Plan, Prices]] = field(default_factory=list)

    def speeds(self, choices: Sequence[Choice], rounds: int) -> list[float]:
        """Latency of the float model over that of each choice, measured in turns."""
        sessions = [self._session(choice) for choice in choices]
        return speed_ratios(self.original, sessions, self.feed, threads=self.runtime.threads, rounds=rounds)

    def gain(self, choice: Choice, other: Choice, rounds: int) -> float:
        """Latency of another choice over that of one, measured in turns, of fewer rounds where it is clear."""
        one, reference, threads = self._session(choice), self._session(other), self.runtime.threads
        return speed_ratios(reference, [one], self.feed, threads=threads, rounds=rounds, clear=CLEAR)[0]

    def prices(self, choice: Choice) -> Prices:
        """What its units cost in both forms, by profiles of the whole net in both, made once."""
        for plan, prices in self.priced:
            if plan == choice.plan:
                return prices
        prices = self._priced(choice)
        self.priced.append((choice.plan, prices))
        return prices

    def _priced(self, choice: Choice) -> Prices:
        floating = node_times(self.model, self.feed, runtime=self.runtime)
        integer = node_times(self._built(choice.plan)[0], self.feed, runtime=self.runtime)
        elements = count_elements(self.model, self.feed, profile(self.model, self.feed, runtime=self.runtime))
        return priced(self.model, choice.placement, integer, floating, elements)

    def used(self, plan: Plan) -> tuple[str, ...]:
        """The substitutes of a plan that find something to do."""
        return _used(plan, self._built(plan)[1])

    def float_bytes(self) -> int:
        """Bytes of the canonical float model's file, with its weights beside it."""
        return saved_size(self.model, external=True)

    def file_bytes(self, plan: Plan) -> int:
        """Bytes of the file that the plan becomes, with its weights beside it."""
        return saved_size(self._built(plan)[0], external=True)

    def _session(self, choice: Choice) -> Runs:
        return self.load(self._built(choice.plan)[0])

    def _built(self, plan: Plan) -> tuple[ir.Model, Trace]:
        for known, model, trace in self.built:
            if plan in (known, replace(known, substitutes=_used(known, trace))):
                return model, trace
        model, trace = self.build(plan)
        self.built.append((plan, model, trace))
        return model, trace


def _used(plan: Plan, trace: Trace) -> tuple[str, ...]:
    changed = {step.name for step in trace.steps if step.result.changes}
    return tuple(name for name in plan.substitutes if name in changed)
