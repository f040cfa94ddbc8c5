"""Finding passes: the built-in order, and what packages register under the entry point `qcompile.passes`.

An entry point's name is `STAGE` or `STAGE.ANYTHING`, its object a Pass class; such passes run last in their stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points

from qcompile.errors import QCompileError
from qcompile.pipeline.passes import Pass

ENTRY_POINT = "qcompile.passes"


def built_in_passes() -> Iterator[tuple[str, Pass]]:
    """(stage, pass) in running order."""
    order = import_module("qcompile.passes").DEFAULT_ORDER  # by name: this room may not import that one
    foreign, stages = list(_registered()), list(dict.fromkeys(stage for stage, _ in order))
    for stage, step in foreign:
        if stage not in stages:
            raise QCompileError(
                f"no stage {stage!r} for pass {step.name!r} of a package; there are {', '.join(stages)}"
            )
    for stage in stages:
        for _, dotted in (entry for entry in order if entry[0] == stage):
            yield stage, _load(dotted)
        yield from (entry for entry in foreign if entry[0] == stage)


def _load(dotted: str) -> Pass:
    module, _, attribute = dotted.rpartition(".")
    found = getattr(import_module(module), attribute)()
    assert isinstance(found, Pass)
    return found


def _registered() -> Iterator[tuple[str, Pass]]:
    for point in entry_points(group=ENTRY_POINT):
        found = point.load()
        if not (isinstance(found, type) and issubclass(found, Pass)):
            raise QCompileError(f"no pass in entry point {point.name!r} ({point.value} is no qcompile.pipeline.Pass)")
        yield point.name.partition(".")[0], found()
