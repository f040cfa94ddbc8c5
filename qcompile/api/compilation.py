"""Compiling: canonicalise, observe, decide, rewrite, verify."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qcompile import __version__
from qcompile.api.results import CompileResult, NodeReport
from qcompile.api.source import OpenedSource, open_source
from qcompile.calibrate import (
    carry,
    find_observer,
    input_specs,
    observe,
    open_feeds,
    split_feeds,
    stateless_specs,
    synthetic_feeds,
)
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
from qcompile.errors import PlanError, TargetError
from qcompile.ir import Source, has_external_data, lowest_runtime, nodes, quantized_form, saved_size, weight_bytes
from qcompile.passes.quantize import QuantizeInterface
from qcompile.pipeline import Context, Feed, Hook, Pipeline, Trace, VerifyEach
from qcompile.plan import Plan, Reason, sha256
from qcompile.quant import OutputFidelity
from qcompile.runtime import Runtime, Session, profile, run_as_written
from qcompile.targets import Target, find_target
from qcompile.verify import FloatFaced, Reference, check_finite, check_runnable, check_steps, multiply_adds, surprises

Progress = Callable[[str, int, int | None], None]

SYNTHETIC_SAMPLES = 8

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
    observer: str | None = None,
    exclude: Sequence[str] = (),
    max_samples: int | None = None,
    preprocess: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    sequence: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    pipeline: Pipeline | None = None,
    threads: int = 1,
    custom_op_library: Path | None = None,
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
        io_type: `float`, or `quantized`: 8-bit inputs and outputs; None: as the plan has it, or float.
        observer: name of one observer for all values; None: chosen by the outputs on held-back samples.
        exclude: regular expressions; nodes whose name or op type matches stay float.
        max_samples: at most so many samples, at even distances; the first ones with a `sequence`.
        preprocess: how pictures become inputs, where `calib` is a folder of them.
        input_shapes: shapes of synthetic samples by input name.
        sequence: states by output name: the input that this output of one sample feeds in the next sample.
        plan: decisions to replay instead of calibrating and deciding.
        pipeline: passes to run instead of the default ones.
        threads: threads of the runtime.
        custom_op_library: a library that gives onnxruntime the operators of other domains; they stay float.
        seed: seed of synthetic samples.
        verify_each: check the model after every pass.
        hooks: called after every pass with (pass, model, context).
        progress: called with (phase, done, total or None).

    Raises QCompileError in one line where the input cannot be used.
    """
    if bits != 8:
        raise TargetError(f"no {bits}-bit weights yet; use bits=8")
    wanted = find_target(target)
    source = open_source(model)
    runtime = Runtime(threads, custom_op_library, prepack=weight_bytes(source.model) < LARGE)
    request = _Request(
        wanted,
        format,
        io_type,
        observer,
        exclude,
        plan,
        pipeline or Pipeline.default(),
        runtime,
        verify_each,
        hooks,
        "synthetic" if calib is None else "data",
    )
    check_runnable(source.model, runtime)
    if form := quantized_form(source.model):
        return copied(source, "already-quantized", f"the model is quantized already ({form} form)")
    specs = input_specs(source.model)
    needed = stateless_specs(source.model, specs, sequence or {})
    if calib is not None:
        spread = None if sequence else max_samples  # what follows one another is not read at even distances
        feeds: Sequence[Feed] = open_feeds(calib, needed, preprocess=preprocess, max_samples=spread)[:max_samples]
    else:
        feeds = synthetic_feeds(source.model, specs, SYNTHETIC_SAMPLES, seed, input_shapes, runtime)
    if sequence:
        feeds = carry(feeds, specs, sequence, Session(source.model, runtime))
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
    io_type: str | None
    observer: str | None
    exclude: Sequence[str]
    plan: Plan | None
    pipeline: Pipeline
    runtime: Runtime
    verify_each: bool
    hooks: Sequence[Hook]
    calibration: str
    """`data` or `synthetic`."""

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
        for what, has, wanted in (
            ("target", plan.target, (self.target.name,)),
            ("format", plan.format, formats),
            ("io type", plan.io_type, (self.io_type or plan.io_type,)),
        ):
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
        self.context = Context(
            target=request.target, feed=self.feed, run=partial(run_as_written, runtime=request.runtime)
        )
        self.trace = Trace()
        self.reference: Reference | None = None

    def run(self) -> CompileResult:
        hooks = [*self.request.hooks]
        if self.request.verify_each:
            hooks.append(VerifyEach(self.model, self.context))
        self._stages("canonicalize", hooks=hooks)
        placement = self._place()
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

    def _place(self, kept_float: Mapping[str, Reason] | None = None) -> Placement:
        """Where integers go; without real data, products between floats take their ranges at run time."""
        request = self.request
        quantized = request.io_type == "quantized"  # as 8-bit inputs, which leave nothing to be found at run time
        return place(
            self.model,
            request.target,
            request.exclude,
            kept_float,
            dynamic=request.calibration == "synthetic" and not quantized,
            quantized_outputs=quantized,
            format_=request.emitted_format(),
        )

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
            observed, names, self.calibration, observer, axes, runtime=request.runtime, progress=self.progress
        )
        missing = unseen(placement, seen.seen | known.keys())
        if missing:
            placement = self._place(missing)

        def plans(where: Placement) -> Iterator[Plan]:
            found = candidate_plans(
                self.model, where, known, seen, request.target, request.emitted_format(), placement.groups
            )
            return (replace(plan, io_type=request.io_type or plan.io_type) for plan in found)

        plan, sqnr_db = choose(plans(placement), self._sqnr_db)
        for kept_float in relaxations(placement, plan, seen) if sqnr_db < AIM_DB else []:
            alike = (p for p in plans(self._place(missing | kept_float)) if p.notes == plan.notes)
            relaxed, relaxed_db = choose(alike, self._sqnr_db)
            if relaxed_db >= sqnr_db + WORTH_DB:
                plan, sqnr_db = relaxed, relaxed_db
        return replace(plan, notes=plan.notes | {"calibration": request.calibration})

    def _sqnr_db(self, plan: Plan) -> float:
        """SQNR of the lowest output under a plan, on held-back samples."""
        self._collect()
        context = replace(self.context, plan=plan)
        stages = self.request.pipeline.stage("repair", "quantize", "lower")
        candidate, _ = stages.run(self.model.clone(), context)
        return min(output.sqnr_db for output in self._fidelity(candidate))

    def _collect(self) -> None:
        """Free the weights of earlier candidates: a graph is a cycle of references, and would keep them for a while."""
        if weight_bytes(self.source.model) >= LARGE:
            gc.collect()

    def _fidelity(self, candidate: ir.Model) -> tuple[OutputFidelity, ...]:
        runtime = self.request.runtime
        if self.reference is None:
            self.reference = Reference(Session(self.source.model, runtime), self.held_back)
        faced = FloatFaced(Session(candidate, runtime), candidate.metadata_props)
        return self.reference.compare(faced, self.progress)

    def _verified(self, canonical: ir.Model, reference: ir.Model, plan: Plan) -> CompileResult:
        """The result, once the runtime has loaded it, run it and come near enough to its reference."""
        runtime, target = self.request.runtime, self.request.target
        self.progress("verify", 0, None)
        self._collect()
        if plan.format == "qoperator":
            check_steps(reference, self.model.clone(), self.context.feed or self.feed, runtime)
        fidelity = self._fidelity(self.model)
        check_finite(fidelity)
        surprising = surprises(self.model, plan, target, runtime)
        self.model.metadata_props.update(
            {
                "qcompile.version": __version__,
                "qcompile.plan.sha256": sha256(plan),
                "qcompile.calibration": plan.notes.get("calibration", self.request.calibration),
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
            requires=lowest_runtime(self.model),
            exact_on=target.exact_on,
        )


def left_float(trace: Trace) -> Iterator[str]:
    """The inputs and outputs that should be 8-bit and cannot be, a sentence each."""
    for step in trace.steps:
        if step.name == QuantizeInterface.name:
            yield from (reason.detail for _, reason in step.result.declined)


def copied(source: OpenedSource, status: str, why: str) -> CompileResult:
    """The result where the model is handed on as it came."""
    return CompileResult(
        status=status,
        model=source.model,
        size_before=source.size,
        size_after=source.size,
        warnings=(why,),
        external_data=has_external_data(source.model),
        original=source.content,
    )


def node_reports(
    canonical: ir.Model, plan: Plan, feed: Feed, surprising: Sequence[tuple[str, Reason]], runtime: Runtime
) -> tuple[NodeReport, ...]:
    """What became of every compute node of the canonical graph, with its multiply-adds on one feed."""
    macs = multiply_adds(profile(canonical, feed, runtime=runtime))
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
