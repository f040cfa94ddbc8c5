"""How fast models are beside each other, in one process and in turns, so that drift hits all alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from qcompile.runtime.clock import clock
from qcompile.runtime.session import Feed, Runs

_BURST = 0.01
"""Seconds of one burst: long against the clock, short against the drift of the machine."""

_FEWEST, _CLEAR = 3, 1.1
"""In how many rounds, all of them so far, one session has to beat another by how much to be clearly faster."""


def speed_ratio(a: Runs, b: Runs, feed: Feed, *, threads: int = 1, rounds: int = 7) -> float:
    """Latency of `a` over latency of `b`: above 1 where `b` is faster. See `speed_ratios`."""
    return speed_ratios(a, [b], feed, threads=threads, rounds=rounds)[0]


def speed_ratios(
    reference: Runs, others: Sequence[Runs], feed: Feed, *, threads: int = 1, rounds: int = 7
) -> list[float]:
    """Latency of the reference over that of each other session: above 1 where the other is faster.

    Median over interleaved rounds of the ratio of the quietest of three bursts; every turn begins with runs that are
    not counted, since the session before has the caches. Who is clearly behind the fastest takes no part in later
    rounds, and there are none once nobody else is left and the reference is clearly ahead or behind.
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
    left: Sequence[int] = range(len(others))
    for _ in range(rounds):
        left = undecided(ratios, left)
        if not left:
            break
        latency = quietest(0)
        for number in left:
            ratios[number].append(latency / quietest(number + 1))
    return [median(found) for found in ratios]


def undecided(ratios: Sequence[Sequence[float]], left: Sequence[int]) -> Sequence[int]:
    """Of those that are left the ones that may yet be the fastest; none where that is clear."""
    if not left or len(ratios[left[0]]) < _FEWEST:
        return left
    first = max(left, key=lambda number: median(ratios[number]))
    near = [n for n in left if not _is_clear(a / b for a, b in zip(ratios[first], ratios[n], strict=True))]
    is_alone = len(near) == 1 and (_is_clear(ratios[first]) or _is_clear(1 / ratio for ratio in ratios[first]))
    return [] if is_alone else near


def _is_clear(ratios: Iterable[float]) -> bool:
    return min(ratios) > _CLEAR
