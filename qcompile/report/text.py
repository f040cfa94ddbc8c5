"""The facts of a run for people: at most one screen, 24 lines of 100 columns for an ordinary model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qcompile.report.data import (
    CompileFacts,
    CulpritFacts,
    FormFacts,
    InspectFacts,
    MetricFacts,
    OpFacts,
    OutputFacts,
    PortFacts,
    ReasonGroup,
    ValidateFacts,
)
from qcompile.report.words import megabytes, number, one_line, short

_LABEL = 10
_COMPARED, _PORTS, _REASONS, _NODES, _WARNINGS, _OPS = 2, 4, 3, 2, 3, 12
"""How much of each list is shown; the rest is counted, and whole in the JSON."""


def compiled(facts: CompileFacts) -> RenderableType:
    """What happened, what stayed float and why, size, fidelity, where the file is, what to do next."""
    if facts.status != "compiled":
        return Group(_whole(_copied(facts)), *_reasons("float", facts.stayed_float))
    return Group(
        _whole(_headline(facts), "bold"),
        _line("size", _sizes(facts.size_before, facts.size_after)),
        *_fidelity(facts),
        *_culprits(facts.culprits),
        *_metric(facts.metric),
        _line("speed", _speed(facts)),
        *_front(facts.front),
        *_reasons("float", facts.stayed_float),
        *_reasons("unasked", facts.quantized_unasked),
        *_ports(facts.quantized_io),
        _line(
            "runs on", f"{facts.requires}; integers are exact on {', '.join(facts.exact_on) or 'no known CPU class'}"
        ),
        *_warnings(facts.warnings),
        _copyable("file", facts.output),
        _copyable("next", facts.next),
    )


def passes_run(facts: CompileFacts) -> RenderableType:
    """Pass by pass: time, changes, and where it saw its pattern but declined."""
    table = _table("pass", "seconds", "changes", "declined", numbers=2)
    for step in facts.passes:
        declined = "; ".join(f"{short(node)}: {one_line(why)}" for node, why in step.declined[:_NODES])
        more = f" and {len(step.declined) - _NODES} more" if len(step.declined) > _NODES else ""
        table.add_row(step.name, f"{step.seconds:.3f}", str(step.changes), Text(declined + more))
    return table


def validated(facts: ValidateFacts) -> RenderableType:
    """Every output's distance to the float model, worst first, and the verdict."""
    table = _table("output", "SQNR", "cosine", "max abs", "agreement", numbers=4)
    for output in facts.outputs:
        table.add_row(
            Text(short(output.name, 40)),
            _decibels(output.sqnr_db),
            f"{output.cosine:.6f}",
            f"{output.max_abs:.3g}",
            _percent(output.agreement),
        )
    return Group(table, *_metric(facts.metric), _whole(_verdict(facts), "bold"))


def inspected(facts: InspectFacts) -> RenderableType:
    """What the model is, and op by op what the target would do."""
    table = _table("op", "nodes", "integer", f"stays float on target {facts.target}", numbers=2)
    for op in facts.ops[:_OPS]:
        table.add_row(Text(one_line(op.op_type)), str(op.count), str(op.integer), _why(op))
    rest = [f"and {len(facts.ops) - _OPS} more kinds of nodes"] if len(facts.ops) > _OPS else []
    producer = one_line(facts.producer) or "unknown"
    return Group(
        _whole(f"{facts.model}: {sum(op.count for op in facts.ops)} nodes, {_state(facts)}", "bold"),
        *_some("input", facts.inputs),
        *_some("output", facts.outputs),
        _line("version", f"opset {facts.opset}, IR version {facts.ir_version}, written by {producer}"),
        _line("size", f"{megabytes(facts.size)}, {number(facts.parameters)} parameters"),
        table,
        *map(_whole, rest),
        *_legend(facts.ops),
    )


def listing(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> RenderableType:
    """A plain table."""
    table = _table(*titles)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table


def _copied(facts: CompileFacts) -> str:
    why = f" ({'; '.join(facts.warnings)})" if facts.warnings else ""
    return f"{facts.model}: {facts.status.replace('-', ' ')}{why}; {facts.output} is an exact copy of it"


def _headline(facts: CompileFacts) -> str:
    nodes, macs = facts.nodes, facts.multiply_adds
    tenths = 1000 * macs.integer // macs.total if macs.total else 0  # down: 100 % means all
    share = f", {tenths / 10:.1f} % of the multiply-adds" if macs.total else ""
    return f"{Path(facts.output).name}: {nodes.integer} of {nodes.total} compute nodes on integers{share}"


def _sizes(before: int, after: int) -> str:
    ratio = f"{before / after:.1f} times smaller" if after < before else "not smaller"
    return f"{megabytes(before)} -> {megabytes(after)} ({ratio})"


def _fidelity(facts: CompileFacts) -> list[RenderableType]:
    if not facts.fidelity:
        return []
    apart = facts.held_back < facts.samples
    held_back = f"on {facts.held_back} of {facts.samples} samples, held back from calibration"
    where = held_back if apart else f"on {_samples(facts.samples)}, the same that calibrated"
    which = f"; the worst {_COMPARED} of {len(facts.fidelity)} outputs" if len(facts.fidelity) > _COMPARED else ""
    return [_line("fidelity", where + which), *(_line("", _output(output)) for output in facts.fidelity[:_COMPARED])]


def _culprits(culprits: Sequence[CulpritFacts]) -> list[RenderableType]:
    lines = []
    for number_, found in enumerate(culprits):
        of = f"{found.op_type} {short(found.node)}" if found.node else f"input {short(found.value)}"
        what = f"weights of {of}" if found.of_weights else f"what {of} makes" if found.node else of
        share = f"{100 * found.share:.0f} %" + ("" if number_ else f" of the error at {short(found.output)}")
        lines.append(_line("" if number_ else "error", f"{share}: {what} (tried: {one_line(', '.join(found.tried))})"))
        price = f"{100 * found.multiply_adds:.1f} % of the multiply-adds"
        price += "" if found.slower is None else f", about {100 * found.slower:.1f} % slower"
        lines.append(_copyable("", f"exact with {found.option} ({price})"))
    return lines


def _speed(facts: CompileFacts) -> str:
    if facts.speed is not None:
        return f"{facts.speed:.2f}x float (measured here: {facts.tuned_for})"
    return f"not timed ({facts.tuned_for})" if facts.tuned_for else "not timed"


def _front(front: Sequence[FormFacts]) -> list[RenderableType]:
    points = [f"{f.speed:.2f}x at {f.sqnr_db:.1f} dB ({f.integer_nodes} nodes on integers)" for f in front]
    return [_line("front" if number == 0 else "", point) for number, point in enumerate(points)]


def _metric(metric: MetricFacts | None) -> list[RenderableType]:
    if metric is None:
        return []
    figures = f"{metric.reference:.4g} -> {metric.candidate:.4g}"
    return [_line("metric", f"{short(metric.name, 40)}: {figures}, {_lost(metric.loss_pct)}")]


def _lost(loss_pct: float) -> str:
    return f"{loss_pct:.2f} % lost" if loss_pct >= 0 else f"{-loss_pct:.2f} % won"


def _output(output: OutputFacts) -> str:
    agreement = "" if output.agreement is None else f", same largest entry {_percent(output.agreement)}"
    return f"{short(output.name, 40)}: SQNR {_decibels(output.sqnr_db)}{agreement}"


def _reasons(label: str, groups: Sequence[ReasonGroup]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=_LABEL - 2, style="bold")
    table.add_column(justify="right")
    table.add_column(no_wrap=True, style="yellow")
    table.add_column()
    for number_, group in enumerate(groups[:_REASONS]):
        table.add_row("" if number_ else label, str(len(group.nodes)), group.code, _nodes_and_text(group))
    if len(groups) > _REASONS:
        rest = sum(len(group.nodes) for group in groups[_REASONS:])
        table.add_row("", str(rest), "others", f"for {len(groups) - _REASONS} more reasons; --json lists all")
    return [table] if groups else []


def _nodes_and_text(group: ReasonGroup) -> Text:
    names = ", ".join(short(node.name) for node in group.nodes[:_NODES])
    more = ", ..." if len(group.nodes) > _NODES else ""
    return Text(f"{names}{more}: {group.text}{f'; {group.hint}' if group.hint else ''}")


def _ports(ports: Sequence[PortFacts]) -> list[RenderableType]:
    lines = [f"{short(p.name, 40)}: {p.dtype}, scale {p.scale:.6g}, zero point {p.zero_point}" for p in ports]
    return _some("8-bit io", lines)


def _warnings(warnings: Sequence[str]) -> list[RenderableType]:
    lines = [_line("warning", one_line(warning), "yellow") for warning in warnings[:_WARNINGS]]
    if len(warnings) > _WARNINGS:
        lines.append(_line("", f"and {len(warnings) - _WARNINGS} more; --json lists all"))
    return lines


def _verdict(facts: ValidateFacts) -> str:
    if facts.misses:
        return f"missed: {one_line('; '.join(facts.misses))}"
    wanted = [f"SQNR >= {facts.min_sqnr_db:g} dB"] if facts.min_sqnr_db is not None else []
    wanted += [f"agreement >= {facts.min_agreement:.1%}"] if facts.min_agreement is not None else []
    loss = facts.metric.max_loss_pct if facts.metric is not None else None
    wanted += [f"loss <= {loss:g} %"] if loss is not None else []
    met = f"met: {' and '.join(wanted)}; " if wanted else ""
    return f"{met}{_worst(facts.outputs)} over {_samples(facts.samples)}"


def _worst(outputs: Sequence[OutputFacts]) -> str:
    name, sqnr_db = outputs[0].name, outputs[0].sqnr_db
    if sqnr_db == math.inf:
        return "every output is exactly the same"
    which = f", {short(name, 40)}," if len(outputs) > 1 else ""
    return f"the worst output{which} is {'' if math.isnan(sqnr_db) else 'at '}{_decibels(sqnr_db)}"


def _state(facts: InspectFacts) -> str:
    if facts.quantized:
        return f"quantized already ({facts.quantized}): compile copies it"
    integer = sum(op.integer for op in facts.ops)
    return f"float; {integer} would compute on integers" if integer else "float; nothing to quantize"


def _why(op: OpFacts) -> Text:
    if not op.computes:
        return Text("folded away", "dim")
    return Text(", ".join(f"{len(group.nodes)} {group.code}" for group in op.reasons))


def _legend(ops: Sequence[OpFacts]) -> list[RenderableType]:
    """What the codes mean, the commonest first."""
    totals: dict[tuple[str, str], int] = {}
    for group in (group for op in ops for group in op.reasons):
        totals[group.code, group.text] = totals.get((group.code, group.text), 0) + len(group.nodes)
    commonest = sorted(totals, key=lambda key: -totals[key])[:_REASONS]
    return [Text(f"{code}: {text}", "dim") for code, text in commonest]


def _some(label: str, values: Sequence[str]) -> list[RenderableType]:
    lines = [_line("" if i else label, one_line(value)) for i, value in enumerate(values[:_PORTS])]
    return [*lines, _line("", f"and {len(values) - _PORTS} more")] if len(values) > _PORTS else [*lines]


def _line(label: str, text: str, style: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=_LABEL - 2, style="bold")
    grid.add_column(style=style)
    grid.add_row(label, Text(text))
    return grid


def _copyable(label: str, text: str) -> RenderableType:
    return Text.assemble((label.ljust(_LABEL), "bold"), one_line(text), no_wrap=True, overflow="ignore")


def _whole(text: str, style: str = "") -> RenderableType:
    return Text(one_line(text), style, no_wrap=True, overflow="ignore")


def _table(*titles: str, numbers: int = 0) -> Table:
    """Without lines; so many columns behind the first hold numbers and stand to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        table.add_column(title, justify="right" if 0 < index <= numbers else "left", overflow="fold")
    return table


def _decibels(value: float) -> str:
    return "exact" if value == math.inf else "not finite" if math.isnan(value) else f"{value:.1f} dB"


def _samples(count: int) -> str:
    return f"{count} sample{'' if count == 1 else 's'}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
