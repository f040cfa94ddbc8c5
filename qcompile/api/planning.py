"""Deciding: the plan that was given; or the most accurate one, in the fastest form that is no less accurate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import onnx_ir as ir

from qcompile.api.request import Request
from qcompile.api.whereabouts import TUNED_FOR, tuned_for
from qcompile.calibrate import Observations, Progress, find_observer, observe
from qcompile.decide import (
    AIM_DB,
    AUTOMATIC,
    NO_OVERRIDES,
    AccuracySearch,
    Choice,
    Drafter,
    FrontPoint,
    Memory,
    Overrides,
    Placement,
    Product,
    ScaleLink,
    Sensing,
    SpeedSearch,
    Step,
    Stopwatch,
    Timed,
    WeightRounder,
    apply_recipe,
    attention_products,
    cheaper_in_float,
    check_fits,
    fingerprint,
    further_forms,
    is_large,
    kept_for_speed,
    known_ranges,
    mean_axes,
    pareto,
    place,
    precise_outputs,
    range_axes,
    scale_links,
    scale_migrations,
    slowdown,
    sources,
    unseen,
    weight_rounder,
    without_costly_storage,
    without_growth,
)
from qcompile.errors import RecipeError
from qcompile.ir import nodes, saved_size
from qcompile.pipeline import Context, Feed, Trace
from qcompile.plan import Code, Plan, Reason
from qcompile.quant import Rounding
from qcompile.runtime import Runs, host


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
        request = self.request
        if request.plan is not None:
            request.check_is_for_this(request.plan)
            check_fits(request.plan, self.model, request.target)
            decided = request.plan.nodes  # a file has them in the order of their names
            order = [node.name for node in nodes(self.model) if node.name in decided]
            return Planned(replace(request.plan, nodes={name: decided[name] for name in order if name is not None}))
        placement = self._place({})
        if broken := self._overrides.broken(placement.nodes):
            raise RecipeError(broken)
        known = known_ranges(self.model, placement)
        seen = self._observed(placement, known.keys())
        missing = unseen(placement, seen.seen | known.keys())
        drafter = Drafter(
            self.model,
            known,
            seen,
            placement.groups,
            request.target,
            request.emitted_format(),
            {"calibration": request.calibration},
            request.io_type or "float",
        )
        missing |= self._cheaper_in_float(self._place(missing))
        roundings = self._roundings(drafter) if self._may_search() else []
        migrations = scale_migrations(drafter, self._links)
        search = AccuracySearch(
            drafter,
            self._place,
            self.sqnr_db,
            [precise_outputs],
            roundings,
            migrations,
            self.sensing.relaxations if request.effort != "fast" else None,
            self.sensing.promise if request.effort != "fast" else None,
            self._slowdown if request.may_time() else None,
            request.min_sqnr,
            self.sensing.narrowable if self._may_search() else None,
        )
        choice = search.run(missing)
        if not request.may_time() or not choice.placement.units:
            plan = choice.plan
            if not is_large(self.model):
                plan = without_growth(plan, self._file_bytes, saved_size(self.model, external=True))
            return Planned(self._noted(self._well_stored(plan), timed=False))
        found = self._fastest(choice, drafter)
        front = self._front([found.choice, choice], drafter) if request.effort == "max" else ()
        return Planned(self._noted(self._well_stored(found.choice.plan), timed=True), found.speed, front)

    def _front(self, found: Sequence[Choice], drafter: Drafter) -> tuple[FrontPoint, ...]:
        """What can be had between the fastest form and all in float, by giving back what harms most."""
        every = dict.fromkeys(found[0].placement.unit_names, Reason(Code.KEPT_FOR_ACCURACY))
        steps = [*self.sensing.relaxations(found[0]), every]
        choices = [*found, *(self._redrafted(found[0], more, drafter) for more in steps)]
        speeds = self._clock.speeds(choices, rounds=5)
        return pareto(
            FrontPoint(
                self.sqnr_db(choice.plan),
                speed,
                sum(decision.is_integer for decision in choice.plan.nodes.values()),
                tuple(choice.kept_float),
            )
            for choice, speed in zip(choices, speeds, strict=True)
        )

    def _redrafted(self, base: Choice, more: Mapping[str, Reason], drafter: Drafter) -> Choice:
        """The same choice with further nodes in float."""
        kept = {**base.kept_float, **more}
        placement = self._place(kept)
        return replace(base, placement=placement, plan=drafter.draft(placement, base.method), kept_float=kept)

    def _file_bytes(self, plan: Plan) -> int:
        """Bytes of the file that the plan becomes, with its weights beside it."""
        return saved_size(self.build(plan)[0], external=True)

    def _well_stored(self, plan: Plan) -> Plan:
        """The plan with its stored weights as exact as the aim asks."""
        if self.request.effort == "fast":
            return plan
        methods = self._methods if self._may_search() else ()
        roundings = [lambda plan, method=method: self._rounder.rounded(plan, method) for method in methods]
        worst = self.sensing.costly_weights
        return without_costly_storage(self.model, plan, self.sqnr_db, self._aim_db, roundings, worst)

    @property
    def _aim_db(self) -> float:
        """SQNR from which on speed comes first."""
        return max(AIM_DB, self.request.min_sqnr or AIM_DB)

    def _noted(self, plan: Plan, *, timed: bool) -> Plan:
        """The plan with what its choice of forms rests on."""
        kind = tuned_for(self.request, timed=timed)
        return replace(plan, notes={**plan.notes, TUNED_FOR: kind}) if kind else plan

    def _may_search(self) -> bool:
        """Whether time and memory allow repairs that need another look at the data."""
        return self.request.effort != "fast" and not is_large(self.model)

    def _roundings(self, drafter: Drafter) -> list[Step]:
        """Better codes for the weights, and biases that make up for what is left, in the order of their cost."""

        def rounded(method: Rounding) -> Step:
            return lambda placement, plan: self._rounder.rounded(plan, method)

        return [step for method in self._methods for step in drafter.without_and_with_bias(rounded(method))]

    @property
    def _methods(self) -> tuple[Rounding, ...]:
        """How weights are rounded where nearest is not good enough."""
        return (Rounding.GPTQ, Rounding.DESCENT) if self.request.effort == "max" else (Rounding.GPTQ,)

    @cached_property
    def _links(self) -> list[ScaleLink]:
        """Where scales of channels can move, if that may be tried."""
        return scale_links(self.model) if self._may_search() else []

    @cached_property
    def _rounder(self) -> WeightRounder:
        """Runs over the calibration samples once more, for what the layers read."""
        return weight_rounder(self.model, self.feeds, self.request.runtime, self.progress)

    def _cheaper_in_float(self, placement: Placement) -> dict[str, Reason]:
        """What the target's table wants in float, where the clock will not decide."""
        request, table = self.request, self.request.target.prices
        if request.may_time() or not request.may_choose_float() or table is None:
            return {}
        assert self.context.feed is not None
        names = cheaper_in_float(self.model, placement, table, self.context.feed, request.runtime)
        return kept_for_speed(placement, names, f"by the table of target {request.target.name}, not timed")

    def _fastest(self, choice: Choice, drafter: Drafter) -> Timed:
        self.progress("time", 0, None)
        assert self.context.feed is not None
        feed, runtime = self.context.feed, self.request.runtime
        ranges = drafter.extremes(sources(self._products))
        search = SpeedSearch(
            self._clock,
            partial(self._redrafted, drafter=drafter),
            self.sqnr_db,
            further_forms(self.model, self.request.target, self._products, ranges, host().features),
            self._aim_db,
            self.request.effort == "max",
        )
        if not self.request.cache:
            return search.run(choice)
        return Memory.default().search(search, choice, fingerprint(self.model, choice, feed, runtime, search))

    @cached_property
    def _products(self) -> list[Product]:
        """Products of two activations that may be tried on integers: where the clock decides, and ranges are real."""
        return attention_products(self.model) if self.request.may_time() and self.request.calibration == "data" else []

    @cached_property
    def _clock(self) -> Stopwatch:
        assert self.context.feed is not None
        return Stopwatch(self.model, self.original, self.context.feed, self.request.runtime, self.build, self.load)

    def _slowdown(self, choice: Choice, names: Collection[str]) -> float:
        return slowdown(self._clock.prices(choice), names)

    @cached_property
    def _overrides(self) -> Overrides:
        """What the recipe says of the model's nodes."""
        recipe = self.request.recipe
        return apply_recipe(recipe, self.model, self.request.target) if recipe is not None else NO_OVERRIDES

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
            overrides=self._overrides,
            dynamic=dynamic,
            quantized_outputs=quantized,
            format_=format_,
        )

    def _observed(self, placement: Placement, known: Collection[str]) -> Observations:
        request = self.request
        names = [name for name in placement.observed if name not in known]
        names += [name for name in sources(self._products) if name not in names]
        axes, channels = mean_axes(placement), range_axes(placement, self._links)
        context = replace(self.context, observed=list(dict.fromkeys([*names, *axes, *channels])))
        shown, _ = request.pipeline.stage("observe").run(self.model.clone(), context)
        observer = find_observer(request.observer) if request.observer else AUTOMATIC
        runtime, progress = request.runtime, self.progress
        return observe(shown, names, self.feeds, observer, axes, channels, runtime=runtime, progress=progress)
