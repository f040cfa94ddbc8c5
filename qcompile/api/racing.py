"""Decisions of the clock: the fastest form of a choice, and what lies between it and all in float."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import onnx_ir as ir

from qcompile.api.placing import Placing
from qcompile.api.request import Request
from qcompile.decide import (
    Choice,
    Drafter,
    FrontPoint,
    Memory,
    Product,
    Sensing,
    SpeedSearch,
    Stopwatch,
    Timed,
    attention_products,
    fingerprint,
    further_forms,
    pareto,
    slowdown,
    sources,
)
from qcompile.plan import Code, Plan, Reason
from qcompile.runtime import Feed, host


@dataclass(frozen=True)
class Racing:
    """Times the choices for one canonical model."""

    model: ir.Model
    request: Request
    feed: Feed
    clock: Stopwatch
    placing: Placing
    sqnr_db: Callable[[Plan], float]
    sensing: Sensing
    aim_db: float
    """SQNR from which on speed comes first."""

    @cached_property
    def products(self) -> list[Product]:
        """Products of two activations that may be tried on integers: where the clock decides, and ranges are real."""
        return attention_products(self.model) if self.request.may_time() and self.request.calibration == "data" else []

    def slowdown(self, choice: Choice, names: Collection[str]) -> float:
        """How much longer a run takes if these nodes compute in float, as a share."""
        return slowdown(self.clock.prices(choice), names)

    def fastest(self, choice: Choice, drafter: Drafter) -> Timed:
        """The fastest form of the choice that is no less accurate, or near enough to the float model."""
        request = self.request
        ranges = drafter.extremes(sources(self.products))
        search = SpeedSearch(
            self.clock,
            partial(self._redrafted, drafter=drafter),
            self.sqnr_db,
            further_forms(self.model, request.target, self.products, ranges, host().features),
            self.aim_db,
            request.effort == "max",
        )
        if not request.cache:
            return search.run(choice)
        key = fingerprint(self.model, choice, self.feed, request.runtime, search)
        return Memory.default().search(search, choice, key)

    def front(self, found: Sequence[Choice], drafter: Drafter) -> tuple[FrontPoint, ...]:
        """What can be had between the fastest form and all in float, by giving back what harms most."""
        every = dict.fromkeys(found[0].placement.unit_names, Reason(Code.KEPT_FOR_ACCURACY))
        steps = [*self.sensing.relaxations(found[0]), every]
        choices = [*found, *(self._redrafted(found[0], more, drafter) for more in steps)]
        speeds = self.clock.speeds(choices, rounds=5)
        return pareto(
            FrontPoint(
                self.sqnr_db(choice.plan),
                speed,
                sum(decision.is_integer for decision in choice.plan.nodes.values()),
                tuple(name for name in choice.kept_float if not choice.plan.is_integer(name)),
            )
            for choice, speed in zip(choices, speeds, strict=True)
        )

    def _redrafted(self, base: Choice, more: Mapping[str, Reason], drafter: Drafter) -> Choice:
        """The same choice with further nodes in float."""
        kept = {**base.kept_float, **more}
        placement = self.placing.with_floats(kept)
        return replace(base, placement=placement, plan=drafter.draft(placement, base.method), kept_float=kept)
