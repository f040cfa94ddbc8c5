"""How long a model takes when nothing disturbs it."""

from __future__ import annotations

import time

from benchmarks.networks import Feed
from qcompile.runtime import Session


def seconds(session: Session, feed: Feed, runs: int = 5) -> float:
    """CPU time of the quietest of so many runs on one thread."""
    times = []
    for _ in range(runs):
        start = time.thread_time()
        session.run(feed)
        times.append(time.thread_time() - start)
    return min(times)
