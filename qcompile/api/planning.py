"""Deciding: the plan that was given; or the most accurate one, in the fastest form that is no less accurate."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property

import onnx_ir as ir

from qcompile.api.placing import Placing
from qcompile.api.racing import Racing
from qcompile.api.request import Request
from qcompile.api.weight_repairs import WeightRepairs
from qcompile.api.whereabouts import TUNED_FOR, tuned_for
from qcompile.calibrate import Observations, Progress, find_observer, observe
from qcompile.decide import (
    AIM_DB,
    AUTOMATIC,
    AccuracySearch,
    Choice,
    Drafter,
    FrontPoint,
    Placement,
    Sensing,
    Stopwatch,
    check_fits,
    is_large,
    known_ranges,
    mean_axes,
    precise_outputs,
    range_axes,
    sources,
    unseen,
    without_growth,
)
from qcompile.ir import nodes, saved_size
from qcompile.pipeline import Context, Feed, Trace
from qcompile.plan import Plan
from qcompile.runtime import Runs


@dataclass(frozen=True)
class Planned:
    """A plan and, where it was timed, its speed: the float model's latency over its own."""

    plan: Plan
    speed: float | None = None
    front: tuple[FrontPoint, ...] = ()


@dataclass(frozen=True)
class Planner:
    """Makes the plan of a canonical model."""

    model: ir.Model
    context: Context
    request: Request
    feed: Feed
    """The one that is timed."""
    feeds: Collection[Feed]
    original: Runs
    """The float model as it came."""
    build: Callable[[Plan], tuple[ir.Model, Trace]]
    """The model that a plan makes of the canonical one."""
    load: Callable[[ir.Model], Runs]
    """A session of such a model that takes and gives what the float model does."""
    sqnr_db: Callable[[Plan], float]
    """What a plan does to the outputs, on held-back samples."""
    sensing: Sensing
    """What each quantization of a plan does to the outputs."""
    progress: Progress

    def plan(self) -> Planned:
        """The plan, and what was timed on the way.

        Calibrates and searches unless a plan was given. Raises PlanError if that one does not fit.
        """
        if self.request.plan is not None:
            return Planned(self._given(self.request.plan))
        placement = self._placing.first()
        known = known_ranges(self.model, placement)
        seen = self._observed(placement, known.keys())
        missing = unseen(placement, seen.seen | known.keys())
        drafter = Drafter(
            self.model,
            known,
            seen,
            placement.groups,
            self.request.target,
            self.request.emitted_format(),
            {"calibration": self.request.calibration},
            self.request.io_type or "float",
        )
        choice = self._search(drafter).run(missing | self._placing.cheaper_in_float(missing))
        return self._in_fastest_form(choice, drafter)

    def _given(self, plan: Plan) -> Plan:
        """The plan to replay, with its nodes in the order of the graph: a file has them in that of their names."""
        self.request.check_is_for_this(plan)
        check_fits(plan, self.model, self.request.target)
        order = [node.name for node in nodes(self.model) if node.name in plan.nodes]
        return replace(plan, nodes={name: plan.nodes[name] for name in order if name is not None})

    def _search(self, drafter: Drafter) -> AccuracySearch:
        request, repairs, sensing = self.request, self._repairs, self.sensing
        return AccuracySearch(
            drafter,
            self._placing.with_floats,
            self.sqnr_db,
            [precise_outputs],
            repairs.roundings(drafter),
            repairs.migrations(drafter),
            sensing.relaxations if request.effort != "fast" else None,
            sensing.promise if request.effort != "fast" else None,
            self._racing.slowdown if request.may_time() else None,
            request.min_sqnr,
            sensing.narrowable if repairs.are_allowed else None,
        )

    def _in_fastest_form(self, choice: Choice, drafter: Drafter) -> Planned:
        """The choice, once the clock has spoken, where it may, with well stored weights."""
        if not self.request.may_time() or not choice.placement.units:
            return Planned(self._finished(self._small(choice.plan), timed=False))
        self.progress("time", 0, None)
        found = self._racing.fastest(choice, drafter)
        front = self._racing.front([found.choice, choice], drafter) if self.request.effort == "max" else ()
        return Planned(self._finished(found.choice.plan, timed=True), found.speed, front)

    def _small(self, plan: Plan) -> Plan:
        """The plan without substitutes that make the file larger; of large models they are a small part."""
        if is_large(self.model):
            return plan
        size = saved_size(self.model, external=True)
        return without_growth(plan, lambda plan: saved_size(self.build(plan)[0], external=True), size)

    def _finished(self, plan: Plan, *, timed: bool) -> Plan:
        """The plan with well stored weights, and what its choice of forms rests on."""
        stored = self._repairs.well_stored(plan, self.sqnr_db, self._aim_db, self.sensing.costly_weights)
        kind = tuned_for(self.request, timed=timed)
        return replace(stored, notes={**stored.notes, TUNED_FOR: kind}) if kind else stored

    @property
    def _aim_db(self) -> float:
        """SQNR from which on speed comes first."""
        return max(AIM_DB, self.request.min_sqnr or AIM_DB)

    @cached_property
    def _placing(self) -> Placing:
        return Placing(self.model, self.request, self.feed)

    @cached_property
    def _repairs(self) -> WeightRepairs:
        return WeightRepairs(self.model, self.request, self.feeds, self.progress)

    @cached_property
    def _racing(self) -> Racing:
        clock = Stopwatch(self.model, self.original, self.feed, self.request.runtime, self.build, self.load)
        placing = self._placing
        return Racing(self.model, self.request, self.feed, clock, placing, self.sqnr_db, self.sensing, self._aim_db)

    def _observed(self, placement: Placement, known: Collection[str]) -> Observations:
        request = self.request
        names = [name for name in placement.observed if name not in known]
        names += [name for name in sources(self._racing.products) if name not in names]
        axes, channels = mean_axes(placement), range_axes(placement, self._repairs.links)
        context = replace(self.context, observed=list(dict.fromkeys([*names, *axes, *channels])))
        shown, _ = request.pipeline.stage("observe").run(self.model.clone(), context)
        observer = find_observer(request.observer) if request.observer else AUTOMATIC
        runtime, progress = request.runtime, self.progress
        return observe(shown, names, self.feeds, observer, axes, channels, runtime=runtime, progress=progress)
