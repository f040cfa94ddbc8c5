"""The search for speed: cuts by price, and the clock on the whole net that decides between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qcompile.decide.accuracy import GAIN_DB, Choice
from qcompile.decide.cut import cheapest_floats
from qcompile.decide.placement import Placement
from qcompile.decide.prices import Prices, count_elements, priced
from qcompile.pipeline import Trace
from qcompile.plan import Code, Plan, Reason
from qcompile.runtime import Feed, Runs, Runtime, node_times, profile, speed_ratios
from qcompile.targets import Role

FAMILY = ((1.0, 1.0), (0.5, 1.0), (1.5, 1.0), (2.5, 1.0), (1.0, 0.85), (1.0, 1.15), (1.0, 1.4))
"""Multiples of (edge prices, integer prices) that cuts are made with: no source of prices is better than some 10 %."""

CANDIDATES = 6
"""How many plans run against the float model at most; more were measured to find nothing better."""

MARGIN = 1.02
"""How much faster than a simpler plan another one must be: less, and equal sessions differ by as much."""


@dataclass(frozen=True)
class Timed:
    """A choice and its latency on this host: the float model's over its own."""

    choice: Choice
    speed: float


@dataclass(frozen=True)
class SpeedSearch:
    """Looks for the fastest form of a choice that is no less accurate."""

    model: ir.Model
    """The canonical float model that names in plans refer to."""
    original: Runs
    """The float model as it came: what nothing may be slower than."""
    feed: Feed
    runtime: Runtime
    redraft: Callable[[Choice, Mapping[str, Reason]], Choice]
    """The same choice with further nodes kept float."""
    build: Callable[[Plan], tuple[ir.Model, Trace]]
    """The model that a plan makes of the canonical one, and what its passes did."""
    load: Callable[[ir.Model], Runs]
    """A session of such a model that takes and gives what the float model does."""
    sqnr_db: Callable[[Plan], float]
    thorough: bool = False
    """Whether to try what seldom helps."""
    built: dict[int, tuple[Plan, ir.Model, Trace]] = field(default_factory=dict)
    """What was built already, by the identity of the plan."""

    def run(self, choice: Choice) -> Timed:
        """The fastest of the choice, of cuts of it, of fewer substitutes and of all-float; all-float in case of doubt.

        Cuts that cost accuracy are passed over.
        """
        prices = self._prices(choice)
        cuts = {frozenset(cheapest_floats(p.tasks, p.edges, p.read_as_floats)): None for p in _family(prices)}
        every = frozenset(unit.node.name or "" for unit in choice.placement.units)
        wanted = [cut for cut in cuts if cut and cut != every][: CANDIDATES - 2]
        choices = [choice, *(self._without(choice, cut) for cut in wanted)]
        best = self._fastest(choices, choice.sqnr_db)
        best = self._with_fewer_substitutes(self._with_used_substitutes(best))
        in_float = self._without(choice, every)
        final = self._race([best, in_float], rounds=7)
        return final[0] if final[0].speed >= max(1.0, final[1].speed) else final[1]

    def _prices(self, choice: Choice) -> Prices:
        """Both forms of the whole net, profiled."""
        floating = node_times(self.model, self.feed, runtime=self.runtime)
        integer = node_times(self._model(choice.plan), self.feed, runtime=self.runtime)
        elements = count_elements(self.model, self.feed, profile(self.model, self.feed, runtime=self.runtime))
        return priced(self.model, choice.placement, integer, floating, elements)

    def _without(self, choice: Choice, names: Collection[str]) -> Choice:
        return self.redraft(choice, kept_for_speed(choice.placement, names))

    def _fastest(self, choices: Sequence[Choice], floor_db: float) -> Choice:
        """The fastest; a simpler one within noise; never one that lost accuracy."""
        timed = self._race(choices, rounds=3)
        best = timed[0]
        for other in sorted(timed[1:], key=lambda t: -t.speed):
            if other.speed < best.speed * MARGIN:
                break
            found = self.sqnr_db(other.choice.plan)
            if found >= floor_db - GAIN_DB:
                return replace(other.choice, sqnr_db=found)
        return best.choice

    def _with_used_substitutes(self, choice: Choice) -> Choice:
        """Leave those out of the plan that find nothing to do."""
        self._model(choice.plan)
        _, model, trace = self.built[id(choice.plan)]
        used = {step.name for step in trace.steps if step.result.changes}
        plan = replace(choice.plan, substitutes=tuple(filter(used.__contains__, choice.plan.substitutes)))
        self.built[id(plan)] = (plan, model, trace)  # it is the same model
        return replace(choice, plan=plan)

    def _with_fewer_substitutes(self, choice: Choice) -> Choice:
        """Drop the substitutes if they do not pay together; one or the other only where much is spent on speed."""
        names = choice.plan.substitutes
        left_out = [{name} for name in names] if self.thorough else []
        sets = [set(names), *left_out] if names else []
        fewer = [
            replace(choice, plan=replace(choice.plan, substitutes=tuple(n for n in names if n not in dropped)))
            for dropped in sets
        ]
        whole, *without = self._race([choice, *fewer], rounds=3) if fewer else [Timed(choice, 1.0)]
        best = max(without, key=lambda timed: timed.speed, default=whole)
        return best.choice if best.speed >= whole.speed * MARGIN else choice

    def _race(self, choices: Sequence[Choice], rounds: int) -> list[Timed]:
        sessions = [self.load(self._model(choice.plan)) for choice in choices]
        speeds = speed_ratios(self.original, sessions, self.feed, threads=self.runtime.threads, rounds=rounds)
        return [Timed(choice, speed) for choice, speed in zip(choices, speeds, strict=True)]

    def _model(self, plan: Plan) -> ir.Model:
        """The model that a plan makes, made once."""
        if id(plan) not in self.built:
            self.built[id(plan)] = (plan, *self.build(plan))
        return self.built[id(plan)][1]


def kept_for_speed(placement: Placement, names: Collection[str], detail: str = "") -> dict[str, Reason]:
    """The reason why units of these names stay float; what only moves values follows the others."""
    units = (unit for unit in placement.units if unit.entry.role is not Role.MOVE)
    return {n: Reason(Code.KEPT_FOR_SPEED, detail) for unit in units if (n := unit.node.name or "") in names}


def _family(prices: Prices) -> list[Prices]:
    return [prices.scaled(edges, integer) for edges, integer in FAMILY]
