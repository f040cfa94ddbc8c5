"""How long single runs take, in turns, so that drift of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

_WARM = 0.005
"""Seconds of runs at the begin of a turn that do not count: the one before has the caches, and its threads spin on."""
_TURN = 0.05
_FEWEST = 3
"""A turn lasts so many seconds and has so many runs at least."""


def in_turns(runs: Sequence[Callable[[], object]], *, threads: int = 1, rounds: int = 7) -> list[list[list[float]]]:
    """Seconds of every single run: for each of `runs` and each round, those of one turn.

    One thread is timed by its own CPU clock, which other processes on the core hardly move; several by the wall clock.
    Every other round goes backwards, so that nobody always follows the same neighbour.
    """
    fine = time.get_clock_info("thread_time").resolution < 1e-6
    clock = time.thread_time if threads == 1 and fine else time.perf_counter
    times: list[list[list[float]]] = [[] for _ in runs]
    for number in range(rounds):
        turns = list(zip(runs, times, strict=True))
        for run, found in turns if number % 2 == 0 else reversed(turns):
            found.append(_turn(run, clock))
    return times


def _turn(run: Callable[[], object], clock: Callable[[], float]) -> list[float]:
    _timed(run, clock, _WARM, 1)
    return _timed(run, clock, _TURN, _FEWEST)


def _timed(run: Callable[[], object], clock: Callable[[], float], seconds: float, fewest: int) -> list[float]:
    times: list[float] = []
    while len(times) < fewest or sum(times) < seconds:
        start = clock()
        run()
        times.append(clock() - start)
    return times
