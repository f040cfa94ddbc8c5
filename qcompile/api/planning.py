"""Deciding: the plan that was given, or the best candidate on held-back samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import onnx_ir as ir

from qcompile.api.request import Request
from qcompile.calibrate import Observations, Progress, find_observer, observe
from qcompile.decide import (
    AIM_DB,
    AUTOMATIC,
    WORTH_DB,
    Placement,
    candidate_plans,
    check_fits,
    choose,
    known_ranges,
    mean_axes,
    place,
    relaxations,
    unseen,
)
from qcompile.ir import nodes
from qcompile.pipeline import Context, Feed
from qcompile.plan import Plan, Reason


@dataclass(frozen=True)
class Planner:
    """Makes the plan of a canonical model. `sqnr_db` measures what a plan does to the outputs."""

    model: ir.Model
    context: Context
    request: Request
    feeds: Collection[Feed]
    sqnr_db: Callable[[Plan], float]
    progress: Progress

    def plan(self) -> Plan:
        """The plan; calibrates and searches unless one was given. Raises PlanError if that one does not fit."""
        request = self.request
        if request.plan is not None:
            request.check_is_for_this(request.plan)
            check_fits(request.plan, self.model, request.target)
            decided = request.plan.nodes  # a file has them in the order of their names
            order = [node.name for node in nodes(self.model) if node.name in decided]
            return replace(request.plan, nodes={name: decided[name] for name in order if name is not None})
        placement = self._place({})
        known = known_ranges(self.model, placement)
        seen = self._observed(placement, known.keys())
        missing = unseen(placement, seen.seen | known.keys())
        if missing:
            placement = self._place(missing)

        def plans(where: Placement) -> Iterator[Plan]:
            found = candidate_plans(
                self.model, where, known, seen, request.target, request.emitted_format(), placement.groups
            )
            return (replace(plan, io_type=request.io_type or plan.io_type) for plan in found)

        plan, sqnr_db = choose(plans(placement), self.sqnr_db)
        for kept_float in relaxations(placement, plan, seen) if sqnr_db < AIM_DB else []:
            alike = (p for p in plans(self._place(missing | kept_float)) if p.notes == plan.notes)
            relaxed, relaxed_db = choose(alike, self.sqnr_db)
            if relaxed_db >= sqnr_db + WORTH_DB:
                plan, sqnr_db = relaxed, relaxed_db
        return replace(plan, notes=plan.notes | {"calibration": request.calibration})

    def _place(self, kept_float: Mapping[str, Reason]) -> Placement:
        """Where integers go; without real data, products between floats take their ranges at run time.

        Not with 8-bit inputs, which leave nothing to be found at run time, nor in QDQ form, whose runtimes fuse none.
        """
        request = self.request
        quantized, format_ = request.io_type == "quantized", request.emitted_format()
        dynamic = request.calibration == "synthetic" and not quantized and format_ == "qoperator"
        return place(
            self.model,
            request.target,
            request.exclude,
            kept_float,
            dynamic=dynamic,
            quantized_outputs=quantized,
            format_=format_,
        )

    def _observed(self, placement: Placement, known: Collection[str]) -> Observations:
        request = self.request
        names = [name for name in placement.observed if name not in known]
        axes = mean_axes(placement)
        context = replace(self.context, observed=list(dict.fromkeys([*names, *axes])))
        shown, _ = request.pipeline.stage("observe").run(self.model.clone(), context)
        observer = find_observer(request.observer) if request.observer else AUTOMATIC
        return observe(shown, names, self.feeds, observer, axes, runtime=request.runtime, progress=self.progress)
