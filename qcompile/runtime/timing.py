"""How fast two models are beside each other, in one process and in turns, so that drift hits both alike."""

from __future__ import annotations

import time
from statistics import median

from qcompile.runtime.session import Feed, Session

_BURST = 0.01
"""Seconds of one burst: long against the clock, short against the drift of the machine."""


def speed_ratio(a: Session, b: Session, feed: Feed, *, threads: int = 1, rounds: int = 7) -> float:
    """Latency of `a` over latency of `b`: above 1 where `b` is faster.

    Median over interleaved rounds of the ratio of the quietest of three bursts; every turn begins with runs that are
    not counted, since the session before has the caches. One thread is timed by its own CPU clock, which other
    processes on the core hardly move.
    """
    clock = time.thread_time if threads == 1 else time.perf_counter

    def burst(session: Session, times: int) -> float:
        start = clock()
        for _ in range(times):
            session.run(feed)
        return (clock() - start) / times

    times = {}
    for session in (a, b):
        burst(session, 3)
        times[session] = max(1, min(1000, int(_BURST / max(1e-6, min(burst(session, 1) for _ in range(3))))))
    ratios = []
    for _ in range(rounds):
        quietest = []
        for session in (a, b):
            burst(session, 3)
            quietest.append(min(burst(session, times[session]) for _ in range(3)))
        ratios.append(quietest[0] / quietest[1])
    return median(ratios)
