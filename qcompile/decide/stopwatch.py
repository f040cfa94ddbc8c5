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
    priced: dict[int, Prices] = field(default_factory=dict)

    def speeds(self, choices: Sequence[Choice], rounds: int) -> list[float]:
        """Latency of the float model over that of each choice, measured in turns."""
        return self._ratios(self.original, choices, rounds)

    def gain(self, choice: Choice, other: Choice, rounds: int) -> float:
        """Latency of another choice over that of one, measured in turns."""
        return self._ratios(self._session(other), [choice], rounds)[0]

    def prices(self, choice: Choice) -> Prices:
        """What its units cost in both forms, by profiles of the whole net in both, made once."""
        if id(choice.plan) not in self.priced:
            self.priced[id(choice.plan)] = self._priced(choice)
        return self.priced[id(choice.plan)]

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

    def _ratios(self, reference: Runs, choices: Sequence[Choice], rounds: int) -> list[float]:
        sessions = [self._session(choice) for choice in choices]
        return speed_ratios(reference, sessions, self.feed, threads=self.runtime.threads, rounds=rounds)

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
