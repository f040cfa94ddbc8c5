"""The pipeline: passes in stages, run in order, with a hook after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from qcompile.errors import QCompileError
from qcompile.ir import declare
from qcompile.pipeline.context import Context
from qcompile.pipeline.passes import Pass, PassResult
from qcompile.pipeline.registry import built_in_passes
from qcompile.targets import find_target

STAGES = ("canonicalize", "observe", "repair", "quantize", "lower")
"""Stages in order."""

_NEEDS: dict[str, Callable[[Context], bool]] = {
    "canonicalize": lambda context: True,
    "observe": lambda context: context.plan is None,
    "repair": lambda context: context.plan is not None,
    "quantize": lambda context: context.plan is not None,
    "lower": lambda context: context.plan is not None and context.plan.format == "qoperator",
}
"""What a context must have before a stage can run."""


@dataclass(frozen=True)
class Step:
    """One pass that ran."""

    stage: str
    name: str
    seconds: float
    result: PassResult


@dataclass(frozen=True)
class Trace:
    """What a pipeline run did, pass by pass."""

    steps: tuple[Step, ...] = ()

    def __add__(self, other: Trace) -> Trace:
        return Trace(self.steps + other.steps)


Hook = Callable[[Pass, ir.Model, Context], None]
"""Called after each pass with the model as it is then; may raise."""


@dataclass
class Pipeline:
    """Passes in stages, in running order; `entries` holds (stage, pass)."""

    entries: list[tuple[str, Pass]] = field(default_factory=list)

    @classmethod
    def default(cls, target: str = "cpu") -> Pipeline:
        """The built-in passes in their order; in each stage followed by those that installed packages register.

        The passes are the same for every target, which the context tells them; an unknown one is a TargetError.
        """
        find_target(target)
        return cls(list(built_in_passes()))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the passes, in order."""
        return tuple(entry.name for _, entry in self.entries)

    def __iter__(self) -> Iterator[Pass]:
        return (entry for _, entry in self.entries)

    def stage(self, *stages: str) -> Pipeline:
        """A pipeline of the passes that belong to these stages. Raises QCompileError for an unknown one."""
        for stage in stages:
            if stage not in STAGES:
                raise QCompileError(f"no stage {stage!r}; there are {', '.join(STAGES)}")
        return Pipeline([entry for entry in self.entries if entry[0] in stages])

    def insert_after(self, name: str, new: Pass) -> None:
        """Add a pass behind the one of this name, in the same stage."""
        at = self._index(name)
        self.entries.insert(at + 1, (self.entries[at][0], new))

    def insert_before(self, name: str, new: Pass) -> None:
        """Add a pass before the one of this name, in the same stage."""
        at = self._index(name)
        self.entries.insert(at, (self.entries[at][0], new))

    def replace(self, name: str, new: Pass) -> None:
        """Put another pass in the place of the one of this name."""
        at = self._index(name)
        self.entries[at] = (self.entries[at][0], new)

    def remove(self, name: str) -> None:
        """Take the pass of this name out."""
        del self.entries[self._index(name)]

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise QCompileError(f"no pass {name!r} in the pipeline; there are {', '.join(self.names)}")
        return self.names.index(name)

    def run(self, model: ir.Model, context: Context, hooks: Sequence[Hook] = ()) -> tuple[ir.Model, Trace]:
        """Run every stage whose needs the context meets, on the model itself.

        Without a plan it stops after observe; with one there is nothing to observe. Returns the model and the trace.
        """
        steps = []
        for stage, step in self.entries:
            if not _NEEDS[stage](context):
                continue
            start = time.perf_counter()
            result = step.run(model, context)
            steps.append(Step(stage, step.name, time.perf_counter() - start, result))
            for hook in hooks:
                hook(step, model, context)
        declare(model)
        return model, Trace(tuple(steps))
