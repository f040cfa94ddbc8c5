"""How long single runs take, in turns, so that drift of the machine hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qcompile.runtime.clock import clock

_WARM = 0.005
"""Seconds of runs at the begin of a turn that do not count: the one before has the caches, and its threads spin on."""
_TURN = 0.05
_FEWEST = 3
"""A turn lasts so many seconds and has so many runs at least."""


def in_turns(runs: Sequence[Callable[[], object]], *, threads: int = 1, rounds: int = 7) -> list[list[list[float]]]:
    """Seconds of every single run: for each of `runs` and each round, those of one turn.

    Every other round goes backwards, so that nobody always follows the same neighbour.
    """
    seconds = clock(threads)
    times: list[list[list[float]]] = [[] for _ in runs]
    for number in range(rounds):
        turns = list(zip(runs, times, strict=True))
        for run, found in turns if number % 2 == 0 else reversed(turns):
            found.append(_turn(run, seconds))
    return times


def _turn(run: Callable[[], object], seconds: Callable[[], float]) -> list[float]:
    _timed(run, seconds, _WARM, 1)
    return _timed(run, seconds, _TURN, _FEWEST)


def _timed(run: Callable[[], object], seconds: Callable[[], float], least: float, fewest: int) -> list[float]:
    times: list[float] = []
    while len(times) < fewest or sum(times) < least:
        start = seconds()
        run()
        times.append(seconds() - start)
    return times
