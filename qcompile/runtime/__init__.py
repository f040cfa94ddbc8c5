"""onnxruntime behind one door: sessions, the optimised graph read back, timing."""

from __future__ import annotations

from qcompile.runtime.host import Host, host
from qcompile.runtime.loadable import Runnable
from qcompile.runtime.memory import peak_memory
from qcompile.runtime.options import ONE_THREAD, Runtime, one_line
from qcompile.runtime.profile import Event, node_times, op_times, profile
from qcompile.runtime.readback import FLOAT_OPS, INTEGER_OPS, optimized_nodes
from qcompile.runtime.session import Feed, Runs, Session, run_as_written, version
from qcompile.runtime.timing import speed_ratio, speed_ratios
from qcompile.runtime.turns import in_turns

__all__ = [
    "FLOAT_OPS",
    "INTEGER_OPS",
    "ONE_THREAD",
    "Event",
    "Feed",
    "Host",
    "Runnable",
    "Runs",
    "Runtime",
    "Session",
    "host",
    "in_turns",
    "node_times",
    "one_line",
    "op_times",
    "optimized_nodes",
    "peak_memory",
    "profile",
    "run_as_written",
    "speed_ratio",
    "speed_ratios",
    "version",
]
