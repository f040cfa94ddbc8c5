"""How fast models are beside each other, in one process and in turns, so that drift hits all alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from qcompile.runtime.clock import clock
from qcompile.runtime.session import Feed, Runs

_BURST = 0.01
"""Seconds of one burst: long against the clock, short against the drift of the machine."""

_FEWEST = 3
"""Rounds after which a race may be over."""


def speed_ratio(a: Runs, b: Runs, feed: Feed, *, threads: int = 1, rounds: int = 7) -> float:
    """Latency of `a` over latency of `b`: above 1 where `b` is faster. See `speed_ratios`."""
    return speed_ratios(a, [b], feed, threads=threads, rounds=rounds)[0]


def speed_ratios(
    reference: Runs,
    others: Sequence[Runs],
    feed: Feed,
    *,
    threads: int = 1,
    rounds: int = 7,
    clear: float = math.inf,
) -> list[float]:
    """Latency of the reference over that of each other session: above 1 where the other is faster.

    Median over interleaved rounds of the ratio of the quietest of three bursts; every turn begins with runs that are
    not counted, since the session before has the caches. Three rounds are enough if in each of them every ratio is
    above `clear`, or below its reciprocal: that is for who only asks which is faster.
    """
    now = clock(threads)

    def burst(session: Runs, times: int) -> float:
        start = now()
        for _ in range(times):
            session.run(feed)
        return (now() - start) / times

    sessions = [reference, *others]
    times = []
    slowest = 0.0
    for session in sessions:
        burst(session, 1)
        seconds = min(burst(session, 1) for _ in range(3))
        slowest = max(slowest, seconds)
        times.append(max(1, min(1000, int(_BURST / max(1e-6, seconds)))))
    turns = 3 if slowest < 2 * _BURST else 1  # a long run is its own warm-up, and a burst

    def quietest(number: int) -> float:
        burst(sessions[number], turns)
        return min(burst(sessions[number], times[number]) for _ in range(turns))

    ratios: list[list[float]] = [[] for _ in others]
    for number in range(rounds):
        if number >= _FEWEST and all(is_settled(found, clear) for found in ratios):
            break
        latency = quietest(0)
        for at, found in enumerate(ratios, 1):
            found.append(latency / quietest(at))
    return [median(found) for found in ratios]


def is_settled(ratios: Sequence[float], clear: float) -> bool:
    """Whether all ratios are clearly above 1, or all clearly below."""
    return min(ratios) > clear or max(ratios) < 1 / clear
