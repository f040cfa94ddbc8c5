"""The facts of a bench for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType

from qcompile.report.bench import AGAIN, CANDIDATE, REFERENCE, BenchReport, OpTime, Timing
from qcompile.report.text import listing
from qcompile.report.words import megabytes, one_line

_OPS = 8
"""Kinds of operators that are shown; the rest is summed, and whole in the JSON."""


def benched(report: BenchReport) -> RenderableType:
    """Timings, operators, size and memory, and the verdict."""
    timings = ("threads", "batch", "model", "median ms", "   p90 ms", "samples/s", "speed", "rounds")
    ops = ("operator", "fp32 nodes", "  fp32 us", "int8 nodes", "  int8 us")
    return Group(
        listing(timings, map(_timing, report.timings)),
        "",
        listing(ops, map(_op, _shortened(report.ops))),
        "",
        f"size      {megabytes(report.fp32_size)} -> {megabytes(report.int8_size)}",
        f"memory    {_memory(report.fp32_memory)} -> {_memory(report.int8_memory)} to load and run, at most",
        f"measured  on {one_line(report.host)}",
        f"with      onnxruntime {report.onnxruntime}, {report.feed} feed",
        *(_verdict(*setting) for setting in _settings(report.timings)),
    )


def _timing(timing: Timing) -> Sequence[str]:
    first = timing.model == REFERENCE
    return (
        str(timing.threads) if first else "",
        str(timing.batch) if first else "",
        timing.model,
        f"{timing.median_ms:>9.3f}",
        f"{timing.p90_ms:>9.3f}",
        f"{timing.samples_per_second:>9.1f}",
        f"{timing.speed:>5.2f}",
        "" if first else f"{timing.slowest_round:.2f}..{timing.quickest_round:.2f}",
    )


def _shortened(ops: Sequence[OpTime]) -> Iterable[OpTime]:
    yield from ops[:_OPS]
    if rest := ops[_OPS:]:
        yield OpTime(
            f"{len(rest)} others",
            sum(op.fp32_count for op in rest),
            sum(op.fp32_us for op in rest),
            sum(op.int8_count for op in rest),
            sum(op.int8_us for op in rest),
        )


def _op(op: OpTime) -> Sequence[str]:
    sides = ((op.fp32_count, op.fp32_us), (op.int8_count, op.int8_us))
    cells = ((f"{count:>10}", f"{us:>9.1f}") if count else (f"{'-':>10}", f"{'-':>9}") for count, us in sides)
    return (op.op_type, *(cell for pair in cells for cell in pair))


def _memory(size: int | None) -> str:
    return "unknown" if size is None else megabytes(size)


def _settings(timings: Sequence[Timing]) -> Iterable[tuple[Timing, Timing]]:
    """The second model's timing and that of the first model against itself, setting by setting."""
    again = {(t.threads, t.batch): t for t in timings if t.model == AGAIN}
    return ((t, again[t.threads, t.batch]) for t in timings if t.model == CANDIDATE)


def _verdict(candidate: Timing, again: Timing) -> str:
    """Faster or slower only where no round of the first model against itself did as much."""
    if again.slowest_round <= candidate.speed <= again.quickest_round:
        found = "as fast as fp32, within the noise"
    else:
        found = f"{candidate.speed:.2f}x fp32"
    noise = f"fp32 against itself: {again.slowest_round:.2f}..{again.quickest_round:.2f}"
    return f"speed     {found}, at threads {candidate.threads}, batch {candidate.batch} ({noise})"
