"""From what happened to what is reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from qcompile.api.results import CompileResult, NodeReport
from qcompile.api.source import OpenedSource
from qcompile.ir import has_external_data, nodes
from qcompile.passes.quantize import QuantizeInterface
from qcompile.pipeline import Feed, Trace
from qcompile.plan import Code, Plan, Reason
from qcompile.runtime import Runtime, profile
from qcompile.verify import multiply_adds


def left_float(trace: Trace) -> Iterator[str]:
    """The inputs and outputs that should be 8-bit and cannot be, a sentence each."""
    for step in trace.steps:
        if step.name == QuantizeInterface.name:
            yield from (reason.detail for _, reason in step.result.declined)


def copied(source: OpenedSource, status: str, why: str, operators: tuple[NodeReport, ...] = ()) -> CompileResult:
    """The result where the model is handed on as it came."""
    return CompileResult(
        status=status,
        model=source.model,
        size_before=source.size,
        size_after=source.size,
        operators=operators,
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
        quantized_unasked = reason is not None and reason.code is Code.RUNTIME_QUANTIZED
        integer = quantized_unasked if node.name in overruled else decision.is_integer
        reports.append(NodeReport(node.name or "", node.op_type, integer, macs.get(node.name or "", 0), reason))
    return tuple(reports)


def why_none(operators: Sequence[NodeReport]) -> str:
    """Why nothing is computed on integers, for the model as a whole."""
    codes = {node.reason.code for node in operators if node.reason is not None}
    if codes & {Code.KEPT_FOR_SPEED, Code.KEPT_FOR_ACCURACY}:
        return "float is faster or more exact wherever there is one"
    excluded = codes & {Code.EXCLUDED, Code.RECIPE}
    return "everything that has one is excluded" if excluded else "nothing in it has one on this target"
