"""Random graphs through the compiler.

    python benchmarks/random_graphs.py N [--seed S] [--shrink KIND]

prints the count of each outcome and one line for each bad one; `--shrink` prints the smallest graph of a kind instead.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from hypothesis import HealthCheck, Phase, given, seed, settings

import qcompile
from benchmarks.backend_outcomes import BAD, DEFECTS, MAX_ABSOLUTE, MIN_SQNR_DB
from benchmarks.graphs import Sample, samples
from qcompile.errors import ModelError, QCompileError
from qcompile.ir import to_proto
from qcompile.quant import Comparison
from qcompile.runtime import Session


@dataclass(frozen=True)
class Verdict:
    """`quantized`, `below 20 dB`, `nothing-to-quantize`, `refused by onnxruntime`, or one of `BAD`."""

    kind: str
    detail: str = ""


def judge(sample: Sample) -> Verdict:
    """Compile, load and run. The graphs are valid, so that a refusal is no better than a crash."""
    try:
        reference = [Session(sample.model).run(feed) for feed in sample.feeds]
    except ModelError as error:  # its own fusions break a few valid graphs: a Pad larger than the pool behind it, say
        return Verdict("refused by onnxruntime", str(error))
    assert all(np.isfinite(output).all() for outputs in reference for output in outputs), "no valid graph"
    try:
        result = qcompile.compile(sample.model, calib=sample.feeds, format="qoperator")
    except QCompileError as error:
        defect = any(words in str(error) for words in DEFECTS)
        return Verdict("wrong" if defect else "crash", f"{type(error).__name__}: {error}")
    except Exception as error:
        return Verdict("crash", f"{type(error).__name__}: {error}")
    if result.status != "compiled":
        return Verdict(result.status)
    try:
        session = Session(to_proto(result.model))
    except ModelError as error:
        return Verdict("does-not-load", str(error))
    comparison = Comparison(session.outputs)
    for feed, outputs in zip(sample.feeds, reference, strict=True):
        comparison.update(outputs, session.run(feed))
    for found in comparison.result():
        if not np.isfinite(found.max_abs):
            return Verdict("wrong", f"output {found.name!r} is not finite")
        if found.sqnr_db < MIN_SQNR_DB and found.max_abs > MAX_ABSOLUTE:
            return Verdict("below 20 dB", f"output {found.name!r} at {found.sqnr_db:.1f} dB")
    return Verdict("quantized")


def search(count: int, number: int, look: Callable[[Sample, Verdict], None], *, shrink: bool = False) -> None:
    """Show `look` so many graphs of a seed with their verdicts; with `shrink`, simpler ones of what it raises on."""
    phases = [Phase.generate, *[Phase.shrink] * shrink]
    quiet = settings(
        max_examples=count, phases=phases, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )

    @seed(number)
    @quiet
    @given(samples())
    def run(sample: Sample) -> None:
        look(sample, judge(sample))

    run()


class Found(AssertionError):
    """A graph of the kind that is looked for."""


def smallest(kind: str, count: int, number: int) -> tuple[Sample, Verdict] | None:
    """The smallest graph of a kind among so many of a seed."""
    last: list[tuple[Sample, Verdict]] = []

    def look(sample: Sample, verdict: Verdict) -> None:
        if verdict.kind == kind:
            last.append((sample, verdict))
            raise Found

    try:
        search(count, number, look, shrink=True)
    except Found:
        return last[-1]
    return None


def main() -> None:
    """Count the outcomes, or show the smallest graph of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--shrink", choices=[*BAD, "below 20 dB"], metavar="KIND")
    given_ = parser.parse_args()
    if given_.shrink:
        if found := smallest(given_.shrink, given_.count, given_.seed):
            print(onnx.printer.to_text(found[0].model), found[1].detail, sep="\n")
        return
    counts: Counter[str] = Counter()

    def look(sample: Sample, verdict: Verdict) -> None:
        counts[verdict.kind] += 1
        if verdict.kind in BAD:
            print(f"{verdict.kind}: {verdict.detail} ({', '.join(node.op_type for node in sample.model.graph.node)})")

    search(given_.count, given_.seed, look)
    for kind, number in counts.most_common():
        print(f"{number:6} {kind}")


if __name__ == "__main__":
    main()
