"""The facts of a run as plain data; `as_json` gives them to programs, `report.text` shows them to people.

The field names are the keys of `--json`: docs/json.md lists them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from qcompile import __version__
from qcompile.plan import Code, Reason
from qcompile.report.budget import agreement_miss, loss_miss, sqnr_miss
from qcompile.report.results import Compiled, Culprit, Fidelity, Inspected, Measured, Node, Trace, Validated


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    integer: int
    total: int


@dataclass(frozen=True)
class ReasonedNode:
    """A node and what decided about it."""

    name: str
    op_type: str
    detail: str


@dataclass(frozen=True)
class ReasonGroup:
    """The nodes that share a reason code."""

    code: str
    text: str
    hint: str
    nodes: tuple[ReasonedNode, ...]


@dataclass(frozen=True)
class OutputFacts:
    """Distance of one output to the float model's; agreement is a share, 0..1, None where an output has no classes."""

    name: str
    sqnr_db: float
    cosine: float
    max_abs: float
    agreement: float | None


@dataclass(frozen=True)
class FormFacts:
    """A form of the model that no other beats in both accuracy and speed."""

    sqnr_db: float
    speed: float
    integer_nodes: int
    in_float: tuple[str, ...]
    """Nodes that stay float in it though the target could compute them on integers."""


@dataclass(frozen=True)
class CulpritFacts:
    """A quantization that costs much, and what making it exact takes; shares are 0..1.

    It is that of `value`, which `node` makes; or, with `of_weights`, of the weights that `node` reads.
    """

    value: str
    node: str
    op_type: str
    of_weights: bool
    output: str
    share: float
    """Of the noise power at the output, if nothing else is quantized; more than 1 where errors cancel."""
    tried: tuple[str, ...]
    in_float: tuple[str, ...]
    """Nodes that compute in float with the option."""
    multiply_adds: float
    slower: float | None
    """None where nothing was timed."""
    option: str


@dataclass(frozen=True)
class MetricFacts:
    """The user's metric on both models; losses in percent of the float model's figure."""

    name: str
    reference: float
    candidate: float
    loss_pct: float
    max_loss_pct: float | None


@dataclass(frozen=True)
class PortFacts:
    """An 8-bit input or output, which stands for scale * (code - zero_point)."""

    name: str
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class PassFacts:
    """One pass that ran, and the nodes where it declined."""

    stage: str
    name: str
    seconds: float
    changes: int
    declined: tuple[tuple[str, str], ...]
    """(node name, why)."""


@dataclass(frozen=True)
class CompileFacts:
    """What became of a model; sizes in bytes."""

    status: str
    model: str
    output: str
    nodes: Share
    multiply_adds: Share
    stayed_float: tuple[ReasonGroup, ...]
    quantized_unasked: tuple[ReasonGroup, ...]
    quantized_io: tuple[PortFacts, ...]
    size_before: int
    size_after: int
    samples: int
    held_back: int
    sqnr_db: float | None
    """The lowest output's; None where nothing was compared."""
    min_sqnr_db: float | None
    fidelity: tuple[OutputFacts, ...]
    culprits: tuple[CulpritFacts, ...]
    metric: MetricFacts | None
    warnings: tuple[str, ...]
    requires: str
    exact_on: tuple[str, ...]
    speed: float | None
    """The float model's latency over the result's; None where nothing was timed."""
    front: tuple[FormFacts, ...]
    """With effort `max`: the fastest first."""
    tuned_for: str
    passes: tuple[PassFacts, ...]
    next: str


@dataclass(frozen=True)
class ValidateFacts:
    """Two models on the same data, and whether the second is near enough."""

    reference: str
    candidate: str
    samples: int
    outputs: tuple[OutputFacts, ...]
    sqnr_db: float
    agreement: float | None
    """The lowest output's; None where no output has classes."""
    min_sqnr_db: float | None
    min_agreement: float | None
    metric: MetricFacts | None
    misses: tuple[str, ...]
    """What is below what was asked for, a sentence each; empty: all is met."""


@dataclass(frozen=True)
class OpFacts:
    """What the target would do with the nodes of one op type."""

    op_type: str
    count: int
    """In the file."""
    computes: int
    """Once the model is in canonical form, where some ops are folded away and others appear."""
    integer: int
    reasons: tuple[ReasonGroup, ...]


@dataclass(frozen=True)
class InspectFacts:
    """What a model is, and what a target would do with it."""

    model: str
    target: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    ir_version: int
    producer: str
    parameters: int
    size: int
    quantized: str | None
    ops: tuple[OpFacts, ...]


def compile_facts(
    result: Compiled,
    *,
    model: str,
    output: str,
    min_sqnr: float | None = None,
    max_loss: float | None = None,
    then: str,
) -> CompileFacts:
    """The facts of a compile; `max_loss` is in percent, `then` is the command that comes next."""
    fidelity = _worst_first(result.fidelity)
    return CompileFacts(
        status=result.status,
        model=model,
        output=output,
        nodes=Share(sum(node.integer for node in result.operators), len(result.operators)),
        multiply_adds=Share(
            sum(node.macs for node in result.operators if node.integer), sum(node.macs for node in result.operators)
        ),
        stayed_float=reason_groups(node for node in result.operators if not node.integer),
        quantized_unasked=reason_groups(node for node in result.operators if node.integer),
        quantized_io=tuple(PortFacts(p.name, p.dtype, p.scale, p.zero_point) for p in result.quantized_io),
        size_before=result.size_before,
        size_after=result.size_after,
        samples=result.samples,
        held_back=result.held_back,
        sqnr_db=fidelity[0].sqnr_db if fidelity else None,
        min_sqnr_db=min_sqnr,
        fidelity=fidelity,
        culprits=tuple(map(_culprit, result.culprits)),
        metric=_metric(result.metric, max_loss),
        warnings=tuple(result.warnings),
        requires=result.requires,
        exact_on=tuple(result.exact_on),
        speed=result.speed,
        front=tuple(FormFacts(f.sqnr_db, f.speed, f.integer_nodes, tuple(f.in_float)) for f in result.front),
        tuned_for=result.tuned_for,
        passes=_passes(result.trace),
        next=then,
    )


def validate_facts(
    report: Validated,
    *,
    reference: str,
    candidate: str,
    min_sqnr: float | None = None,
    min_agreement: float | None = None,
    max_loss: float | None = None,
) -> ValidateFacts:
    """The facts of a comparison; `min_agreement` is a share, 0..1, `max_loss` in percent."""
    outputs = _worst_first(report.outputs)
    sqnr = outputs[0].sqnr_db
    agreement = min((output.agreement for output in outputs if output.agreement is not None), default=None)
    misses = (
        sqnr_miss(outputs[0], min_sqnr),
        agreement_miss(agreement, min_agreement),
        loss_miss(report.metric, max_loss),
    )
    return ValidateFacts(
        reference=reference,
        candidate=candidate,
        samples=report.samples,
        outputs=outputs,
        sqnr_db=sqnr,
        agreement=agreement,
        min_sqnr_db=min_sqnr,
        min_agreement=min_agreement,
        metric=_metric(report.metric, max_loss),
        misses=tuple(filter(None, misses)),
    )


def budget_miss(facts: CompileFacts) -> str | None:
    """What is below what was asked for, as a sentence; None: nothing is. A copied model misses nothing."""
    metric = facts.metric
    misses = (
        sqnr_miss(facts.fidelity[0] if facts.fidelity else None, facts.min_sqnr_db),
        loss_miss(metric, metric.max_loss_pct if metric is not None else None),
    )
    return "; ".join(filter(None, misses)) or None


def _culprit(found: Culprit) -> CulpritFacts:
    return CulpritFacts(
        value=found.value,
        node=found.node,
        op_type=found.op_type,
        of_weights=found.of_weights,
        output=found.output,
        share=found.share,
        tried=tuple(found.tried),
        in_float=tuple(found.in_float),
        multiply_adds=found.multiply_adds,
        slower=found.slower,
        option=found.option,
    )


def _metric(measured: Measured | None, max_loss: float | None) -> MetricFacts | None:
    if measured is None:
        return None
    return MetricFacts(measured.name, measured.reference, measured.candidate, measured.loss_pct, max_loss)


def inspect_facts(inspection: Inspected, *, model: str, target: str) -> InspectFacts:
    """The facts of a model, op types by falling count."""
    counts = {node.op_type: 0 for node in inspection.operators} | dict(inspection.op_counts)
    return InspectFacts(
        model=model,
        target=target,
        inputs=tuple(inspection.inputs),
        outputs=tuple(inspection.outputs),
        opset=inspection.opset,
        ir_version=inspection.ir_version,
        producer=inspection.producer,
        parameters=inspection.parameters,
        size=inspection.size,
        quantized=inspection.quantized,
        ops=tuple(_op(name, count, inspection.operators) for name, count in _largest_first(counts)),
    )


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _op(op_type: str, count: int, operators: Iterable[Node]) -> OpFacts:
    nodes = [node for node in operators if node.op_type == op_type]
    return OpFacts(op_type, count, len(nodes), sum(node.integer for node in nodes), reason_groups(nodes))


def reason_groups(nodes: Iterable[Node]) -> tuple[ReasonGroup, ...]:
    """The nodes that carry a reason, by its code; the largest group first, then in graph order."""
    grouped: dict[Code, list[ReasonedNode]] = {}
    for node in nodes:
        if node.reason is not None:
            entry = ReasonedNode(node.name, node.op_type, node.reason.detail)
            grouped.setdefault(node.reason.code, []).append(entry)
    groups = [ReasonGroup(str(c), Reason(c).text, Reason(c).hint, tuple(found)) for c, found in grouped.items()]
    return tuple(sorted(groups, key=lambda group: -len(group.nodes)))


def _worst_first(fidelity: Iterable[Fidelity]) -> tuple[OutputFacts, ...]:
    outputs = (OutputFacts(f.name, f.sqnr_db, f.cosine, f.max_abs, f.agreement) for f in fidelity)
    return tuple(sorted(outputs, key=lambda output: -math.inf if math.isnan(output.sqnr_db) else output.sqnr_db))


def _passes(trace: Trace) -> tuple[PassFacts, ...]:
    return tuple(
        PassFacts(
            step.stage,
            step.name,
            step.seconds,
            step.result.changes,
            tuple((node, reason.text) for node, reason in step.result.declined),
        )
        for step in trace.steps
    )


def as_json(facts: object) -> dict[str, Any]:
    """Facts as a dict that JSON can hold, with the version that wrote them."""
    assert is_dataclass(facts)
    assert not isinstance(facts, type)
    return {"qcompile": __version__, **{key: _plain(value) for key, value in asdict(facts).items()}}


def _plain(value: Any) -> Any:
    """JSON has no word for infinity and NaN: they become the strings that Python's float() and JavaScript read."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case _:
            return value
