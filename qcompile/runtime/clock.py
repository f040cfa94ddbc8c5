"""The clock that runs are timed by."""

from __future__ import annotations

import time
from collections.abc import Callable

_FINE = 1e-6
"""Seconds: a clock that ticks more slowly tells nothing of short runs."""


def clock(threads: int) -> Callable[[], float]:
    """Seconds: of the CPU for one thread, which other processes on the core hardly move; of the wall for several.

    Of the wall, too, where the system counts the thread's in coarse ticks.
    """
    is_fine = time.get_clock_info("thread_time").resolution < _FINE
    return time.thread_time if threads == 1 and is_fine else time.perf_counter
