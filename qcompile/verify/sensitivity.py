"""Which quantizations of a plan cost an output most: each alone, in one session.

The errors of single quantizations add up almost like independent noise, in power. So neighbours are first measured
together, and only groups that do much harm are taken apart: all that matters is found in a number of runs that is
given, however many values a model has.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.plan import Plan
from qcompile.runtime import ONE_THREAD, Feed, Runs, Runtime, Session
from qcompile.targets import Target
from qcompile.verify.gates import Gate, GatedModel, gated_model
from qcompile.verify.parts import Parted, Parts

RUNS = 64
"""How often each feed is run at most, if nothing else is asked for."""

WORST = 8
"""How many gates are looked for, if nothing else is asked for."""

FEWEST, ENOUGH = 2, 100.0
"""Feeds that are run at least, and errors of an output from which on further feeds change their mean square by a tenth
at most. Where few errors are much larger than all others, as behind a Softmax, only these count."""


@dataclass(frozen=True)
class Share:
    """What one quantization does alone."""

    gate: Gate
    share: float
    """Noise power at the output with this gate open alone, over that with all open; more than 1 where errors cancel."""


@dataclass(frozen=True)
class Sensitivity:
    """What the quantizations of a plan do to the output, or the part of one, that suffers most."""

    output: str
    sqnr_db: float
    """With all gates open; inf where quantization changes nothing."""
    shares: tuple[Share, ...]
    """What was measured alone, the worst first."""
    unmeasured: int
    """How many quantizations were measured in groups only."""
    bound: float
    """The largest share of such a group; 0 where there is none."""


def sensitivity(
    canonical: ir.Model,
    plan: Plan,
    target: Target,
    feeds: Sequence[Feed],
    runtime: Runtime = ONE_THREAD,
    *,
    parts: Mapping[str, Parts] | None = None,
    runs: int = RUNS,
    worst: int = WORST,
) -> Sensitivity | None:
    """Measure what each quantization of a plan does alone to the float output with the lowest SQNR.

    `canonical` is the float model that the plan names, once its migrations are carried out. `parts` says which outputs
    are judged in parts.

    Runs each feed at most `runs` times (or five), and twice where others tell enough; stops early once the `worst`
    gates are known. Memory holds one output of each feed beside one run. None where nothing is gated or no output is a
    float tensor.

    Raises ModelError where the runtime refuses the model or a feed.
    """
    gated = gated_model(canonical, plan, target)
    meter = _Meter(gated, Parted(Session(gated.model, runtime), parts or {}), feeds)
    if not gated.gates or meter.output is None:
        return None
    groups, shares = _taken_apart(len(gated.gates), meter.power, max(1, runs - 4), worst), []
    total = meter.total or math.inf
    for power, start, stop in groups:
        if stop - start == 1:
            shares.append(Share(gated.gates[start], power / total))
    shares.sort(key=lambda share: -share.share)
    left = [(power, stop - start) for power, start, stop in groups if stop - start > 1]
    return Sensitivity(
        output=meter.output,
        sqnr_db=meter.sqnr_db,
        shares=tuple(shares),
        unmeasured=sum(size for _, size in left),
        bound=max((power / total for power, _ in left), default=0.0),
    )


Group = tuple[float, int, int]
"""Noise power, and from which gate up to which."""


def _taken_apart(count: int, power: Callable[[int, int], float], runs: int, worst: int) -> list[Group]:
    """Groups of neighbours that cover all gates, measured; the worst taken apart as far as the runs go."""
    size = math.ceil(count / max(1, runs if count <= runs else runs // 2))
    starts = range(0, count, size)
    groups = [(-power(a, min(a + size, count)), a, min(a + size, count)) for a in starts]
    runs -= len(groups)
    heapq.heapify(groups)
    done: list[tuple[float, int, int]] = []
    while groups and len(done) < worst and runs >= 2:
        group = heapq.heappop(groups)
        _, start, stop = group
        if stop - start == 1:
            done.append(group)
            continue
        middle = (start + stop) // 2
        for a, b in ((start, middle), (middle, stop)):
            heapq.heappush(groups, (-power(a, b), a, b))
        runs -= 2
    return [(-negative, start, stop) for negative, start, stop in (*done, *groups)]


class _Meter:
    """Noise power at one output of a gated model, or one part of it, over as many feeds as tell it well."""

    def __init__(self, gated: GatedModel, session: Runs, feeds: Sequence[Feed]) -> None:
        self._session = session
        self._switches, self._count, self._feeds = gated.switches, len(gated.gates), feeds
        self.output, self.sqnr_db = self._lowest()
        if self.output is not None:
            self._kept, self.total = self._sufficient(self._session.outputs.index(self.output))

    def power(self, start: int, stop: int) -> float:
        """Sum of squared errors with these gates open."""
        index = self._session.outputs.index(self.output or "")
        return sum(_powers(wanted, self._run(feed, start, stop)[index])[1] for feed, wanted in self._kept)

    def _sufficient(self, index: int) -> tuple[list[tuple[Feed, np.ndarray]], float]:
        """As many feeds as are needed, with what they give in float; and the noise power with all gates open."""
        kept: list[tuple[Feed, np.ndarray]] = []
        second = fourth = 0.0
        for feed in self._feeds:
            wanted = self._run(feed, 0, 0)[index]
            kept.append((feed, wanted))
            squares = _errors(wanted, self._run(feed, 0, self._count)[index]) ** 2
            second, fourth = second + float(squares.sum()), fourth + float((squares**2).sum())
            if len(kept) >= FEWEST and second**2 >= ENOUGH * fourth > 0:
                break
        return kept, second

    def _lowest(self) -> tuple[str | None, float]:
        """The float output with the lowest SQNR if all gates are open, and that SQNR."""
        sums: dict[str, tuple[float, float]] = {}
        for feed in self._feeds:
            results = zip(self._session.outputs, self._run(feed, 0, 0), self._run(feed, 0, self._count), strict=True)
            for name, wanted, got in results:
                if isinstance(wanted, np.ndarray) and wanted.dtype.kind == "f":
                    signal, noise = _powers(wanted, got)
                    before = sums.get(name, (0.0, 0.0))
                    sums[name] = (before[0] + signal, before[1] + noise)
        if not sums:
            return None, math.inf
        ratios = {name: _decibels(*powers) for name, powers in sums.items()}
        lowest = min(ratios, key=lambda name: ratios[name])
        return lowest, ratios[lowest]

    def _run(self, feed: Feed, start: int, stop: int) -> list[np.ndarray]:
        switches = np.zeros(self._count, np.bool_)
        switches[start:stop] = True
        return self._session.run({**feed, self._switches: switches})


def _powers(wanted: npt.NDArray[np.float32], got: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Sums of squares of the signal and of the noise, where both are finite."""
    if wanted.shape != got.shape:
        return 0.0, 0.0  # as many rows as something is found: nothing to compare one by one
    signal = wanted[np.isfinite(wanted) & np.isfinite(got)].astype(np.float64)
    return float((signal**2).sum()), float((_errors(wanted, got) ** 2).sum())


def _errors(wanted: npt.NDArray[np.float32], got: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What a result is off by, where both are finite; empty where there is nothing to compare one by one."""
    if wanted.shape != got.shape:
        return np.zeros(0)
    kept = np.isfinite(wanted) & np.isfinite(got)
    return got[kept].astype(np.float64) - wanted[kept].astype(np.float64)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
