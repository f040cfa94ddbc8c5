"""When graphs that nobody needs any more are freed.

A graph is a cycle of references. Python looks for cycles whenever some hundred objects were made, which is all the time
in a compile, and finds next to nothing: a tenth of the time goes there. What counts is the memory dead graphs hold.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import onnx_ir as ir

from qcompile.ir import nodes, weight_bytes

MOST = 2**26
"""Bytes that dead graphs may hold."""

NODE = 4096
"""Bytes of a node with its values, about."""

RARELY = (100_000, 20, 20)
"""New objects of a young generation, and collections of a younger one, that set off a collection."""


class Garbage:
    """Counts what the graphs hold that were made for a moment: most are dead when the next one is made."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, model: ir.Model) -> None:
        """A graph was made that will not be needed for long."""
        self._bytes += weight_bytes(model) + NODE * sum(1 for _ in nodes(model))

    def free(self) -> None:
        """Free the dead graphs if they may hold much."""
        if self._bytes >= MOST:
            gc.collect()
            self._bytes = 0


_ruled: list[tuple[int, int, int]] = []
_lock = Lock()


@contextmanager
def rare_collections() -> Iterator[None]:
    """The collector looks for cycles rarely meanwhile, in the whole process; where it is off, it stays off.

    Where several compiles overlap, the last one to end sets things right.
    """
    with _lock:
        before = gc.get_threshold()
        _ruled.append(_ruled[0] if _ruled else before)
        if before[0]:
            gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        with _lock:
            first = _ruled.pop()
            if not _ruled:
                gc.set_threshold(*first)
