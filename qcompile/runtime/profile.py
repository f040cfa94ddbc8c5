"""What each node of a model did in one run: shapes and time, from the runtime's own profile."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qcompile.runtime.loadable import Runnable
from qcompile.runtime.options import ONE_THREAD, Runtime
from qcompile.runtime.session import Feed, Session

Shape = tuple[int, ...]


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
    with tempfile.TemporaryDirectory() as folder:
        session = Session(
            model,
            replace(runtime, prepack=False),  # a packed weight is missing from the profile
            optimize=optimize,
            profile_prefix=Path(folder) / "profile",
        )
        session.run(feed)
        events = json.loads(session.end_profile().read_text(encoding="utf-8"))
    return [_event(e) for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]


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
