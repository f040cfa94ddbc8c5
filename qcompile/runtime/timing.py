"""How fast models are beside each other, in one process and in turns, so that drift hits all alike."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from qcompile.runtime.clock import clock
from qcompile.runtime.session import Feed, Runs

_BURST = 0.01
"""Seconds of one burst: long against the clock, short against the drift of the machine."""


def speed_ratio(a: Runs, b: Runs, feed: Feed, *, threads: int = 1, rounds: int = 7) -> float:
    """Latency of `a` over latency of `b`: above 1 where `b` is faster. See `speed_ratios`."""
    return speed_ratios(a, [b], feed, threads=threads, rounds=rounds)[0]


def speed_ratios(
    reference: Runs, others: Sequence[Runs], feed: Feed, *, threads: int = 1, rounds: int = 7
) -> list[float]:
    """Latency of the reference over that of each other session: above 1 where the other is faster.

    Median over interleaved rounds of the ratio of the quietest of three bursts; every turn begins with runs that are
    not counted, since the session before has the caches.
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
    ratios: list[list[float]] = [[] for _ in others]
    for _ in range(rounds):
        quietest = []
        for session, count in zip(sessions, times, strict=True):
            burst(session, turns)
            quietest.append(min(burst(session, count) for _ in range(turns)))
        for found, seconds in zip(ratios, quietest[1:], strict=True):
            found.append(quietest[0] / seconds)
    return [median(found) for found in ratios]
