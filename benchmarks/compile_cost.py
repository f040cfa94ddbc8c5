"""Time of a compile, by phase and by pass.

    python benchmarks/compile_cost.py [--models residual,resnet50] [--effort default] [--json FILE]

The unit is T: the time of one pass of the float model over the calibration set. Times are CPU time of the process,
which other work on the machine hardly moves. Timings that earlier compiles left in the cache are used; with an empty
cache a compile costs more.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import onnx
import onnx_ir as ir

import qcompile
from benchmarks import output
from benchmarks.choices import choices
from benchmarks.networks import NETWORKS, Feed
from qcompile import models
from qcompile.runtime import Session

FEEDS = 8
"""To calibrate a network on; shipped models bring theirs."""
NAMES = (*models.names(), *NETWORKS)


@dataclass(frozen=True)
class Cost:
    """Times of one compile, in seconds; those of the passes are parts of those of the phases."""

    model: str
    samples: int
    float_pass: float
    """T."""
    total: float
    phases: dict[str, float]
    passes: dict[str, float]
    """Summed over all runs of a pass that led to the result."""

    def row(self) -> dict[str, Any]:
        """One line of the table: T in seconds, all else in T."""
        longest = max(self.phases, key=lambda phase: self.phases[phase])
        return {
            "model": self.model,
            "samples": self.samples,
            "T, s": self.float_pass,
            "total, s": self.total,
            "total, T": self.total / self.float_pass,
            "longest phase": longest,
            "of it, T": self.phases[longest] / self.float_pass,
        }


class PhaseClock:
    """Takes the compiler's progress calls, and adds up the time from each phase's first call to the next phase's."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = defaultdict(float)
        self._phase, self._since = "load", clock()

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if phase != self._phase:
            self.stop()
            self._phase = phase

    def stop(self) -> None:
        """The phase that runs ends here."""
        now = self.clock()
        self.seconds[self._phase] += now - self._since
        self._since = now


def measure(name: str, effort: str) -> Cost:
    """Compile a model and take the time."""
    model, feeds = _opened(name)
    float_pass = _float_pass(model, feeds)
    clock = PhaseClock()
    result = qcompile.compile(model, calib=feeds, effort=effort, progress=clock)
    clock.stop()
    passes: dict[str, float] = defaultdict(float)
    for step in result.trace.steps:
        passes[step.name] += step.seconds
    return Cost(name, len(feeds), float_pass, sum(clock.seconds.values()), dict(clock.seconds), dict(passes))


def _opened(name: str) -> tuple[onnx.ModelProto, Sequence[Feed]]:
    if name in NETWORKS:
        network = NETWORKS[name]()
        return network.model, network.feeds(FEEDS, seed=1)
    return onnx.load(models.path(name)), list(models.calibration(name))


def _float_pass(model: onnx.ModelProto, feeds: Sequence[Feed]) -> float:
    """The quicker of two passes, the session's opening left out."""
    session = Session(ir.from_proto(model))
    times = []
    for _ in range(2):
        start = time.process_time()
        for feed in feeds:
            session.run(feed)
        times.append(time.process_time() - start)
    return min(times)


@click.command()
@click.option("--models", "names", callback=choices(NAMES), default=",".join(NAMES), help="Names, with commas between.")
@click.option("--effort", default="default", show_default=True, help="As of qcompile compile.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the results here.")
def main(names: list[str], effort: str, json_file: Path | None) -> None:
    """Time of a compile, by phase and by pass."""
    costs = [measure(name, effort) for name in names]
    output.show(f"Cost of a compile, effort {effort}; T is a float pass over the samples", [c.row() for c in costs])
    output.write(json_file, [asdict(cost) for cost in costs])


if __name__ == "__main__":
    main()
