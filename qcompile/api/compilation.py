"""Compiling: canonicalise, observe, decide, rewrite, verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir

from qcompile import __version__
from qcompile.api.results import CompileResult, NodeReport
from qcompile.api.source import OpenedSource, open_source
from qcompile.calibrate import find_observer, input_specs, observe, open_feeds, split_feeds, synthetic_feeds
from qcompile.decide import (
    AUTOMATIC,
    Placement,
    candidate_plans,
    check_fits,
    choose,
    known_ranges,
    mean_axes,
    place,
    unseen,
)
from qcompile.errors import PlanError, TargetError
from qcompile.ir import Source, lowest_runtime, nodes, quantized_form, to_proto
from qcompile.pipeline import Context, Feed, Hook, Pipeline, Trace, VerifyEach
from qcompile.plan import Plan, Reason, sha256
from qcompile.quant import OutputFidelity
from qcompile.runtime import Session, profile, run_as_written
from qcompile.targets import Target, find_target
from qcompile.verify import check_finite, check_runnable, check_steps, compare, multiply_adds, surprises

Progress = Callable[[str, int, int | None], None]

SYNTHETIC_SAMPLES = 8


def compile(
    model: Source,
    *,
    calib: Any = None,
    bits: int = 8,
    target: str = "cpu",
    format: str = "auto",
    observer: str | None = None,
    exclude: Sequence[str] = (),
    max_samples: int | None = None,
    preprocess: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    plan: Plan | None = None,
    pipeline: Pipeline | None = None,
    threads: int = 1,
    seed: int = 0,
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
        observer: name of one observer for all values; None: chosen by the outputs on held-back samples.
        exclude: regular expressions; nodes whose name or op type matches stay float.
        max_samples: at most so many samples, at even distances.
        preprocess: how pictures become inputs, where `calib` is a folder of them.
        input_shapes: shapes of synthetic samples by input name.
        plan: decisions to replay instead of calibrating and deciding.
        pipeline: passes to run instead of the default ones.
        threads: threads of the runtime.
        seed: seed of synthetic samples.
        verify_each: check the model after every pass.
        hooks: called after every pass with (pass, model, context).
        progress: called with (phase, done, total or None).

    Raises QCompileError in one line where the input cannot be used.
    """
    if bits != 8:
        raise TargetError(f"no {bits}-bit weights yet; use bits=8")
    request = _Request(
        find_target(target),
        format,
        observer,
        exclude,
        plan,
        pipeline or Pipeline.default(),
        threads,
        verify_each,
        hooks,
    )
    source = open_source(model)
    check_runnable(source.model)
    if form := quantized_form(source.model):
        return copied(source, "already-quantized", f"the model is quantized already ({form} form)")
    specs = input_specs(source.model)
    if calib is not None:
        feeds: Sequence[Feed] = open_feeds(calib, specs, preprocess=preprocess, max_samples=max_samples)
    else:
        feeds = synthetic_feeds(specs, SYNTHETIC_SAMPLES, seed, input_shapes)
    result = _Compilation(source, feeds, request, progress or _quiet).run()
    if calib is None and plan is None and result.status == "compiled":
        warning = "no calibration data: ranges come from synthetic samples; give real ones with --calib DATA"
        result.warnings = (warning, *result.warnings)
    return result


@dataclass(frozen=True)
class _Request:
    """What was asked for."""

    target: Target
    format: str
    observer: str | None
    exclude: Sequence[str]
    plan: Plan | None
    pipeline: Pipeline
    threads: int
    verify_each: bool
    hooks: Sequence[Hook]

    def emitted_format(self) -> str:
        formats = self.target.formats
        if self.format == "auto":
            return formats[0]
        if self.format not in formats:
            raise TargetError(
                f"no format {self.format!r} for target {self.target.name} (it takes {', '.join(formats)})"
            )
        return self.format

    def check_is_for_this(self, plan: Plan) -> None:
        """Raises PlanError if the plan was made for another target or format than is asked for."""
        formats = self.target.formats if self.format == "auto" else (self.format,)
        for what, has, wanted in (("target", plan.target, (self.target.name,)), ("format", plan.format, formats)):
            if has not in wanted:
                asked = " or ".join(wanted)
                raise PlanError(f"plan is for {what} {has}, not {asked}; ask for {has}, or save another plan")


class _Compilation:
    """One compile, from the loaded model to the checked result."""

    def __init__(self, source: OpenedSource, feeds: Sequence[Feed], request: _Request, progress: Progress) -> None:
        self.source, self.request, self.progress = source, request, progress
        self.calibration, self.held_back = split_feeds(feeds)
        self.samples = len(feeds)
        self.feed: Feed = next(iter(feeds))
        self.model = source.model.clone()
        self.context = Context(target=request.target, feed=self.feed, run=run_as_written)
        self.trace = Trace()

    def run(self) -> CompileResult:
        hooks = [*self.request.hooks]
        if self.request.verify_each:
            hooks.append(VerifyEach(self.model, self.context))
        self._stages("canonicalize", hooks=hooks)
        placement = place(self.model, self.request.target, self.request.exclude)
        self.context.plan = plan = self._plan(placement)
        if not plan.weights and not plan.values:
            return copied(self.source, "nothing-to-quantize", "nothing in it has an integer form on this target")
        canonical = self.model.clone()
        self._stages("repair", "quantize", hooks=hooks)
        reference = self.model.clone()
        self._stages("lower", hooks=hooks)
        return self._verified(canonical, reference, plan)

    def _stages(self, *stages: str, hooks: Sequence[Hook] = ()) -> None:
        self.progress(stages[-1], 0, None)
        self.model, trace = self.request.pipeline.stage(*stages).run(self.model, self.context, hooks)
        self.trace += trace

    def _plan(self, placement: Placement) -> Plan:
        """The plan that was given, or the best of the candidates on held-back samples."""
        request = self.request
        if request.plan is not None:
            request.check_is_for_this(request.plan)
            check_fits(request.plan, self.model)
            return request.plan
        known = known_ranges(self.model, placement)
        names = [name for name in placement.observed if name not in known]
        axes = mean_axes(placement)
        self.context.observed = list(dict.fromkeys([*names, *axes]))
        observed, trace = request.pipeline.stage("observe").run(self.model.clone(), self.context)
        self.trace += trace
        observer = find_observer(request.observer) if request.observer else AUTOMATIC
        seen = observe(
            observed, names, self.calibration, observer, axes, threads=request.threads, progress=self.progress
        )
        if missing := unseen(placement, seen.seen | known.keys()):
            placement = place(self.model, request.target, request.exclude, missing)
        plans = candidate_plans(self.model, placement, known, seen, request.target, request.emitted_format())
        return choose(plans, self._sqnr_db)

    def _sqnr_db(self, plan: Plan) -> float:
        """SQNR of the lowest output under a plan, on held-back samples."""
        context = replace(self.context, plan=plan)
        stages = self.request.pipeline.stage("repair", "quantize", "lower")
        candidate, _ = stages.run(self.model.clone(), context)
        return min(output.sqnr_db for output in self._fidelity(candidate))

    def _fidelity(self, candidate: ir.Model) -> tuple[OutputFidelity, ...]:
        threads, progress = self.request.threads, self.progress
        reference = Session(self.source.model, threads=threads)
        return compare(reference, Session(candidate, threads=threads), self.held_back, progress)

    def _verified(self, canonical: ir.Model, reference: ir.Model, plan: Plan) -> CompileResult:
        """The result, once the runtime has loaded it, run it and come near enough to its reference."""
        threads, target = self.request.threads, self.request.target
        self.progress("verify", 0, None)
        if plan.format == "qoperator":
            check_steps(reference, self.model.clone(), self.feed, threads)
        fidelity = self._fidelity(self.model)
        check_finite(fidelity)
        surprising = surprises(self.model, plan, target, threads)
        self.model.metadata_props.update({"qcompile.version": __version__, "qcompile.plan.sha256": sha256(plan)})
        proto = to_proto(self.model)
        return CompileResult(
            status="compiled",
            model=self.model,
            plan=plan,
            trace=self.trace,
            operators=node_reports(canonical, plan, self.feed, surprising),
            fidelity=fidelity,
            samples=self.samples,
            held_back=len(self.held_back),
            size_before=self.source.size,
            size_after=proto.ByteSize(),
            requires=lowest_runtime(self.model),
            exact_on=target.exact_on,
        )


def copied(source: OpenedSource, status: str, why: str) -> CompileResult:
    """The result where the model is handed on as it came."""
    return CompileResult(
        status=status,
        model=source.model,
        size_before=source.size,
        size_after=source.size,
        warnings=(why,),
        original=source.content,
    )


def node_reports(
    canonical: ir.Model, plan: Plan, feed: Feed, surprising: Sequence[tuple[str, Reason]]
) -> tuple[NodeReport, ...]:
    """What became of every compute node of the canonical graph, with its multiply-adds on one feed."""
    macs = multiply_adds(profile(canonical, feed))
    overruled = dict(surprising)
    reports = []
    for node in nodes(canonical):
        decision = plan.nodes.get(node.name or "")
        if decision is None:
            continue
        reason = overruled.get(node.name or "", decision.reason)
        integer = decision.is_integer and node.name not in overruled
        reports.append(NodeReport(node.name or "", node.op_type, integer, macs.get(node.name or "", 0), reason))
    return tuple(reports)


def _quiet(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""
