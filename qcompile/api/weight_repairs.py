"""Repairs of weights: where time and memory allow another look at the data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import onnx_ir as ir

from qcompile.api.request import Request
from qcompile.calibrate import Progress
from qcompile.decide import (
    Drafter,
    ScaleLink,
    Step,
    WeightRounder,
    is_large,
    scale_links,
    scale_migrations,
    weight_rounder,
    without_costly_storage,
)
from qcompile.pipeline import Feed
from qcompile.plan import Plan
from qcompile.quant import Rounding


@dataclass(frozen=True)
class WeightRepairs:
    """Repairs the weights of plans for one canonical model."""

    model: ir.Model
    request: Request
    feeds: Collection[Feed]
    progress: Progress

    @cached_property
    def are_allowed(self) -> bool:
        """Whether time and memory allow repairs that need another look at the data."""
        return self.request.effort != "fast" and not is_large(self.model)

    @cached_property
    def links(self) -> list[ScaleLink]:
        """Where scales of channels can move, if that may be tried."""
        return scale_links(self.model) if self.are_allowed else []

    def migrations(self, drafter: Drafter) -> list[Step]:
        """Scales of channels moved."""
        return scale_migrations(drafter, self.links)

    def roundings(self, drafter: Drafter) -> list[Step]:
        """Better codes for the weights, and biases that make up for what is left, in the order of their cost."""

        def rounded(method: Rounding) -> Step:
            return lambda placement, plan: self._rounder.rounded(plan, method)

        return [step for method in self._methods for step in drafter.without_and_with_bias(rounded(method))]

    def well_stored(
        self,
        plan: Plan,
        sqnr_db: Callable[[Plan], float],
        aim_db: float,
        worst: Callable[[Plan], Sequence[str]],
    ) -> Plan:
        """The plan with its stored weights as exact as the aim asks; see `without_costly_storage`."""
        if self.request.effort == "fast":
            return plan
        roundings = [lambda plan, method=method: self._rounder.rounded(plan, method) for method in self._methods]
        return without_costly_storage(self.model, plan, sqnr_db, aim_db, roundings, worst)

    @property
    def _methods(self) -> tuple[Rounding, ...]:
        if not self.are_allowed:
            return ()
        return (Rounding.GPTQ, Rounding.DESCENT) if self.request.effort == "max" else (Rounding.GPTQ,)

    @cached_property
    def _rounder(self) -> WeightRounder:
        """Runs over the calibration samples once more, for what the layers read."""
        return weight_rounder(self.model, self.feeds, self.request.runtime, self.progress)
