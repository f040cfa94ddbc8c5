"""Compiling: canonicalise, observe, decide, rewrite, verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qcompile import __version__
from qcompile.api.garbage import Garbage, rare_collections
from qcompile.api.planning import Planned, Planner
from qcompile.api.reporting import copied, left_float, node_reports, why_none
from qcompile.api.request import Request, as_patterns, check_numbers, check_one_source
from qcompile.api.results import CompileResult
from qcompile.api.runnable import runnable_form
from qcompile.api.source import OpenedSource, open_source
from qcompile.api.whereabouts import TUNED_FOR, where_it_runs
from qcompile.calibrate import (
    Progress,
    carry,
    input_specs,
    open_feeds,
    split_feeds,
    stateless_specs,
    synthetic_feeds,
    unknown_inputs,
)
from qcompile.decide import Sensing
from qcompile.errors import TargetError
from qcompile.ir import Source, has_external_data, lowest_runtime, quantized_form, saved_size, weight_bytes
from qcompile.pipeline import Context, Feed, Hook, Pipeline, Trace, VerifyEach
from qcompile.plan import Plan, Recipe, interface_params, load_recipe, sha256
from qcompile.quant import OutputFidelity
from qcompile.runtime import Runs, Runtime, Session, run_as_written
from qcompile.targets import find_target
from qcompile.verify import (
    FloatFaced,
    MetricFunction,
    Parted,
    Reference,
    check_finite,
    check_steps,
    exact_classes,
    find_metric,
    output_parts,
    surprises,
    with_signal,
)

SYNTHETIC_SAMPLES = 8

RETRIES, STEP_DB = 3, 6.0
"""How often, and with how much more SQNR, it is tried again where the metric loses too much: half the error each."""

LARGE = 2**30
"""Bytes of weights from which on the sessions of a compile keep no second, packed copy of them."""


def compile(
    model: Source,
    *,
    calib: Any = None,
    bits: int = 8,
    target: str = "cpu",
    format: str = "auto",
    io_type: str | None = None,
    effort: str = "default",
    min_sqnr: float | None = None,
    max_loss: float | None = None,
    cache: bool = True,
    observer: str | None = None,
    exclude: Sequence[str] = (),
    recipe: Recipe | str | Path | None = None,
    metric: MetricFunction | str | None = None,
    max_samples: int | None = None,
    preprocess: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    sequence: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    pipeline: Pipeline | None = None,
    threads: int = 1,
    custom_op_library: Path | None = None,
    seed: int = 0,
    warn: bool = True,
    verify_each: bool = False,
    hooks: Sequence[Hook] = (),
    progress: Progress | None = None,
) -> CompileResult:
    """Quantize a float model for a target.

    Args:
        model: path, proto or onnx_ir model; never changed.
        calib: calibration data in any form of DATA; None: a few synthetic samples, with a warning.
        bits: weight bits; 8.
        target: name of a target.
        format: `qoperator`, `qdq`, or `auto`, the target's own.
        io_type: `float`, or `quantized`: 8-bit inputs and outputs; None: as the plan has it, or float.
        effort: `fast`, which times nothing, `default` or `max`: seconds spent for speed and accuracy.
        min_sqnr: SQNR of the lowest output, in dB, that nodes are given back to float for; missing it is no error.
        max_loss: loss of the `metric` in percent that nodes are given back to float for; likewise.
        cache: whether decisions of the clock are kept in the user's cache folder, and used again.
        observer: name of one observer for all values; None: chosen by the outputs on held-back samples.
        exclude: regular expressions; nodes whose name or op type matches stay float.
        recipe: rules, or the file that has them.
        metric: a function or `FILE.py:FUNC`: takes `run` (feed -> list of outputs) and returns a number, higher is
            better; what the result loses of it is in `result.metric`.
        max_samples: at most so many samples, at even distances; the first ones with a `sequence`.
        preprocess: how pictures become inputs, where `calib` is a folder of them.
        input_shapes: shapes of synthetic samples by input name.
        sequence: states by output name: the input that this output of one sample feeds in the next sample.
        plan: decisions to replay instead of calibrating and deciding.
        pipeline: passes to run instead of the default ones.
        threads: threads of the runtime.
        custom_op_library: a library that gives onnxruntime the operators of other domains; they stay float.
        seed: seed of synthetic samples.
        warn: whether the result's warnings say that there are no calibration data.
        verify_each: check the model after every pass.
        hooks: called after every pass with (pass, model, context).
        progress: called with (phase, done, total or None).

    Raises QCompileError in one line where the input cannot be used.
    """
    if bits != 8:
        raise TargetError(f"no {bits}-bit weights yet; use bits=8")
    check_numbers(max_samples, seed, threads)
    check_one_source(calib, input_shapes)
    wanted = find_target(target)
    measure = find_metric(metric) if metric is not None else None
    source = open_source(model)
    runtime = Runtime(threads, custom_op_library, prepack=weight_bytes(source.model) < LARGE)
    request = Request(
        wanted,
        format,
        io_type,
        observer,
        as_patterns(exclude),
        load_recipe(recipe) if isinstance(recipe, str | Path) else recipe,
        plan,
        pipeline or Pipeline.default(),
        runtime,
        verify_each,
        hooks,
        "synthetic" if calib is None else "data",
        effort,
        min_sqnr,
        cache,
    )
    runnable = runnable_form(source.model, runtime)
    if form := quantized_form(source.model):
        return copied(source, "already-quantized", f"the model is quantized already ({form} form)")
    specs = input_specs(source.model)
    needed = stateless_specs(source.model, specs, sequence or {})
    if calib is not None:
        spread = None if sequence else max_samples  # what follows one another is not read at even distances
        feeds: Sequence[Feed] = open_feeds(calib, needed, preprocess=preprocess, max_samples=spread)[:max_samples]
    else:
        feeds = synthetic_feeds(runnable, specs, SYNTHETIC_SAMPLES, seed, input_shapes, runtime)
        unknown = unknown_inputs(runnable, specs).difference((sequence or {}).values())
        request = replace(request, unknown_inputs=unknown)
    if sequence:
        feeds = carry(feeds, specs, sequence, Session(runnable, runtime))

    def compiled(least_db: float | None) -> CompileResult:
        asked = replace(request, min_sqnr=least_db)
        result = _Compilation(source, runnable, feeds, asked, progress or _quiet).run()
        if measure is not None and result.status == "compiled":
            loaded = Session(result.model, runtime, config=wanted.session_config)
            faced = FloatFaced(loaded, result.model.metadata_props)
            result.metric = measure.compare(Session(runnable, runtime), faced)
        return result

    with rare_collections():
        result = compiled(min_sqnr)
        if max_loss is not None and plan is None:
            result = _within_loss(max_loss, result, lambda aim_db: compiled(max(aim_db, min_sqnr or aim_db)))
    if warn and calib is None and plan is None and result.status == "compiled":
        warning = "no calibration data: ranges come from synthetic samples; give real ones with --calib DATA"
        result.warnings = (warning, *result.warnings)
    return result


def _within_loss(max_loss: float, result: CompileResult, compiled: Callable[[float], CompileResult]) -> CompileResult:
    """The result; or one with more SQNR, as long as the metric loses too much and more SQNR helps."""
    for _ in range(RETRIES):
        if result.metric is None or result.metric.loss_pct <= max_loss:
            break
        nearer = compiled(result.sqnr_db + STEP_DB)
        if nearer.metric is None or nearer.metric.loss_pct >= result.metric.loss_pct:
            break
        result = nearer
    return result


class _Compilation:
    """One compile, from the loaded model to the checked result."""

    def __init__(
        self, source: OpenedSource, runnable: ir.Model, feeds: Sequence[Feed], request: Request, progress: Progress
    ) -> None:
        self.source, self.request, self.progress = source, request, progress
        self.calibration, self.held_back = split_feeds(feeds)
        self.samples = len(feeds)
        self.feed: Feed = next(iter(feeds))
        self.model = runnable.clone()
        self.original = Session(runnable, request.runtime)
        run = partial(run_as_written, runtime=request.runtime)
        self.context = Context(target=request.target, feed=self.feed, run=run)
        self.trace = Trace()
        self.garbage = Garbage()

    def run(self) -> CompileResult:
        hooks = [*self.request.hooks]
        if self.request.verify_each:
            hooks.append(VerifyEach(self.model, self.context))
        self._stages("canonicalize", hooks=hooks)
        self.parts = with_signal(output_parts(self.model), self.original, self.held_back)
        self.reference = Reference(Parted(self.original, self.parts), self.held_back)
        repairs = self.request.pipeline.stage("repair")
        self.sensing = Sensing(
            self.model.clone(), self.context, repairs, self.feed, self.held_back, self.request.runtime, self.parts
        )
        planner = Planner(
            self.model,
            self.context,
            self.request,
            self.feed,
            self.calibration,
            self.original,
            self._built,
            self._load,
            self._sqnr_db,
            self.sensing,
            self.progress,
        )
        planned = planner.plan()
        self.context.plan = plan = planned.plan
        if not plan.weights and not plan.values:
            operators = node_reports(self.model, plan, self.feed, [], self.request.runtime)
            return copied(self.source, "nothing-to-quantize", f"no integer form: {why_none(operators)}", operators)
        canonical = self.model.clone()
        self._stages("repair", "quantize", hooks=hooks)
        reference = self.model.clone()
        self._stages("lower", hooks=hooks)
        return self._verified(canonical, reference, planned)

    def _stages(self, *stages: str, hooks: Sequence[Hook] = ()) -> None:
        self.progress(stages[-1], 0, None)
        self.model, trace = self.request.pipeline.stage(*stages).run(self.model, self.context, hooks)
        self.trace += trace

    def _built(self, plan: Plan) -> tuple[ir.Model, Trace]:
        """The model that a plan makes."""
        self.garbage.free()
        stages = self.request.pipeline.stage("repair", "quantize", "lower")
        built, trace = stages.run(self.model.clone(), replace(self.context, plan=plan))
        self.garbage.add(built)
        return built, trace

    def _sqnr_db(self, plan: Plan) -> float:
        """SQNR of the lowest output under a plan, on held-back samples."""
        candidate, _ = self._built(replace(plan, substitutes=()))  # they are exact
        return min(output.sqnr_db for output in self._fidelity(candidate))

    def _fidelity(self, candidate: ir.Model) -> tuple[OutputFidelity, ...]:
        return self.reference.compare(Parted(self._load(candidate), self.parts), self.progress)

    def _load(self, candidate: ir.Model) -> Runs:
        """A session that takes and gives floats; as it is where it does so by itself, since wrapping takes time."""
        session = Session(candidate, self.request.runtime, config=self.request.target.session_config)
        has_codes = bool(interface_params(candidate.metadata_props))
        return FloatFaced(session, candidate.metadata_props) if has_codes else session

    def _verified(self, canonical: ir.Model, reference: ir.Model, planned: Planned) -> CompileResult:
        """The result, once the runtime has loaded it, run it and come near enough to its reference."""
        plan, speed = planned.plan, planned.speed
        runtime, target = self.request.runtime, self.request.target
        self.progress("verify", 0, None)
        self.garbage.free()
        if plan.format == "qoperator":
            check_steps(reference, self.model.clone(), self.context.feed or self.feed, runtime)
        fidelity = self._fidelity(self.model)
        check_finite(fidelity)
        surprising = surprises(self.model, plan, target, runtime)
        exact, requires = exact_classes(self.model, target), lowest_runtime(self.model)
        self.model.metadata_props.update(
            {
                "qcompile.version": __version__,
                "qcompile.plan.sha256": sha256(plan),
                "qcompile.calibration": plan.notes.get("calibration", self.request.calibration),
                **where_it_runs(plan, requires, exact),
            }
        )
        external = has_external_data(self.source.model)
        return CompileResult(
            status="compiled",
            model=self.model,
            plan=plan,
            trace=self.trace,
            operators=node_reports(canonical, plan, self.feed, surprising, runtime),
            fidelity=fidelity,
            warnings=tuple(left_float(self.trace)),
            samples=self.samples,
            held_back=len(self.held_back),
            size_before=self.source.size,
            size_after=saved_size(self.model, external=external),
            external_data=external,
            requires=requires,
            exact_on=exact,
            culprits=self.sensing.culprits(plan, speed) if self.request.effort != "fast" else (),
            tuned_for=plan.notes.get(TUNED_FOR, ""),
            speed=speed,
            front=planned.front,
        )


def _quiet(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""
