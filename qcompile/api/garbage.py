"""When graphs that nobody needs any more are freed.

A graph is a cycle of references. Python looks for cycles whenever many objects were made, which a compile does all the
time, and finds next to nothing: a tenth of the time goes there. What counts is how much memory hangs on dead graphs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir

from qcompile.ir import weight_bytes

MOST = 2**26
"""Bytes of weights that dead graphs may hold."""


class Garbage:
    """Counts what candidates hold, each of which is dead when the next one is made."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, model: ir.Model) -> None:
        """A graph was made that will not be needed for long."""
        self._bytes += weight_bytes(model)

    def free(self) -> None:
        """Free the dead graphs if they may hold much."""
        if self._bytes >= MOST:
            gc.collect()
            self._bytes = 0


@contextmanager
def without_collector() -> Iterator[None]:
    """No search for cycles meanwhile, in this process, but where it is asked for."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
