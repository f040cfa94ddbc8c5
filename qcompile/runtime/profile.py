"""What each node of a model did in one run: shapes and time, from the runtime's own profile."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qcompile.runtime.loadable import Runnable
from qcompile.runtime.options import ONE_THREAD, Runtime
from qcompile.runtime.session import Feed, Session

Shape = tuple[int, ...]

_MOST_RUNS = 60
"""Runs of a profile: more say nothing new, and what they write has to be read."""


@dataclass(frozen=True)
class Event:
    """One execution of one node."""

    name: str
    op_type: str
    microseconds: int
    inputs: tuple[Shape, ...]
    """Shapes of the inputs that are present."""
    outputs: tuple[Shape, ...]


def profile(model: Runnable, feed: Feed, *, optimize: bool = False, runtime: Runtime = ONE_THREAD) -> list[Event]:
    """Every node that ran on the feed, bodies included, in order."""
    unpacked = replace(runtime, prepack=False)  # the shape of a packed weight is missing from the profile
    (events,) = _runs(model, feed, optimize, unpacked, 0.0)
    return events


def _runs(model: Runnable, feed: Feed, optimize: bool, runtime: Runtime, seconds: float) -> list[list[Event]]:
    """The events of one run, and of further ones that begin within so many seconds, but for `_MOST_RUNS` at most."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(model, runtime, optimize=optimize, profile_prefix=Path(folder) / "profile")
        until = time.monotonic() + seconds
        session.run(feed)
        for _ in range(_MOST_RUNS - 1):
            if time.monotonic() >= until:
                break
            session.run(feed)
        events = json.loads(session.end_profile().read_text(encoding="utf-8"))
    runs: list[list[Event]] = [[]]
    for event in events:
        if event["name"] == "model_run":  # written when the run has ended
            runs.append([])
        elif event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            runs[-1].append(_event(event))
    return runs[:-1]


def node_times(
    model: Runnable, feed: Feed, *, runtime: Runtime = ONE_THREAD, seconds: float = 0.3
) -> dict[str, tuple[str, float]]:
    """Operator and microseconds of every node of the optimised graph in one run, by the name it had before.

    The runtime appends `_token_N` to what it changed and names what it fused after its last output. Times are the mean
    of the faster half of the runs: a profile counts whole microseconds, which a median would keep. What a body ran
    several times counts for all of them.
    """
    times: dict[str, list[int]] = defaultdict(list)
    ops: dict[str, str] = {}
    for events in _runs(model, feed, True, runtime, seconds):
        total: Counter[str] = Counter()
        for event in events:
            name = _RENAMED.sub("", event.name)
            total[name] += event.microseconds
            ops[name] = event.op_type
        for name, microseconds in total.items():
            times[name].append(microseconds)
    return {name: (ops[name], _faster_half(found)) for name, found in times.items()}


def op_times(
    model: Runnable, feed: Feed, *, runtime: Runtime = ONE_THREAD, seconds: float = 0.3
) -> dict[str, tuple[int, float]]:
    """Executions and microseconds of every kind of operator of the optimised graph in one run, slowest first.

    Each time is the mean of the faster half of the runs. What a body ran counts for its operators, and for the If, Loop
    or Scan too.
    """
    runs = _runs(model, feed, True, runtime, seconds)
    counts = Counter(event.op_type for event in runs[0])
    times = {op: _faster_half([sum(e.microseconds for e in run if e.op_type == op) for run in runs]) for op in counts}
    return {op: (counts[op], times[op]) for op in sorted(counts, key=lambda op: (-times[op], op))}


_RENAMED = re.compile(r"(?:_token_\d+|_nchwc|/MatMulAddFusion)+$")


def _faster_half(times: list[int]) -> float:
    kept = sorted(times)[: (len(times) + 1) // 2]
    return sum(kept) / len(kept)


def _event(event: dict[str, Any]) -> Event:
    arguments = event["args"]
    return Event(
        name=event["name"].removesuffix("_kernel_time"),
        op_type=arguments["op_name"],
        microseconds=int(event["dur"]),
        inputs=_shapes(arguments.get("input_type_shape", [])),
        outputs=_shapes(arguments.get("output_type_shape", [])),
    )


def _shapes(entries: list[dict[str, list[int]]]) -> tuple[Shape, ...]:
    return tuple(tuple(next(iter(entry.values()))) for entry in entries if entry)
