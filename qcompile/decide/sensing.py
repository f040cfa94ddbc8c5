"""What each quantization of a plan does to the outputs, for the search and for the verdict."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from qcompile.decide.accuracy import Choice
from qcompile.decide.narrowing import worth_narrowing
from qcompile.decide.relaxation_by_share import relaxations_by_share
from qcompile.ir import weight_bytes
from qcompile.pipeline import Context, Feed, Pipeline
from qcompile.plan import Plan, Reason
from qcompile.runtime import Runtime, profile
from qcompile.verify import Culprit, Parts, Sensitivity, culprits, float_nodes, multiply_adds, sensitivity

PLACES = (0.0, 0.5, 0.25, 0.75)
"""Where among the held-back samples those lie that quantizations are measured on, in the order in which they are taken
as long as more are needed."""

FEWEST = 8
"""Held-back samples from which on they can tell that tails do not matter: of fewer, none may have any."""

PROFILES = 3
"""Runs that tell how long nodes take in float."""

LARGE = 2**27
"""Bytes of weights from which on nothing is tried that holds them, or their second moments, several times."""


def is_large(model: ir.Model) -> bool:
    """Whether memory forbids what takes several times the weights."""
    return weight_bytes(model) >= LARGE


@dataclass(frozen=True)
class Sensing:
    """Measures the quantizations of plans for one canonical model."""

    model: ir.Model
    context: Context
    repairs: Pipeline
    """The passes of the repair stage."""
    feed: Feed
    held_back: Collection[Feed]
    runtime: Runtime
    parts: Mapping[str, Parts] = field(default_factory=dict)
    """The outputs that are judged in parts."""
    latest: list[tuple[Plan, ir.Model, Sensitivity | None]] = field(default_factory=list)
    """What was measured last: most often several questions are asked of one plan."""

    def relaxations(self, choice: Choice) -> list[dict[str, Reason]]:
        """Sets of nodes to give back to float, the smallest first; empty where nothing can be measured."""
        model, found = self._measured(choice.plan)
        if found is None:
            return []
        macs = multiply_adds(profile(model, self.feed, runtime=self.runtime))
        return relaxations_by_share(model, choice.placement, choice.plan, self.context.target, found, macs)

    def promise(self, choice: Choice, names: Set[str]) -> float:
        """Share of the error that goes if these nodes compute in float, were errors independent; inf: not measured.

        As much as the worst group of quantizations that were measured together may be among what goes.
        """
        model, found = self._measured(choice.plan)
        if found is None:
            return math.inf
        gone = (s for s in found.shares if float_nodes(model, choice.plan, self.context.target, s.gate).keys() <= names)
        return found.bound + sum(share.share for share in gone)

    def narrowable(self, choice: Choice) -> list[str]:
        """Values whose ranges are worth narrowing, the worst first; empty where nothing can be measured."""
        if len(self.held_back) < FEWEST:
            return []
        _, found = self._measured(choice.plan)
        outputs = {output.name for output in self.model.graph.outputs}  # whose tails are the product
        names = worth_narrowing(choice.placement, found) if found is not None else []
        return [name for name in names if name not in outputs]

    def costly_weights(self, plan: Plan) -> list[str]:
        """Nodes whose weights in 8 bits were measured to cost most, the worst first; empty where nothing can be."""
        _, found = self._measured(plan)
        return [share.gate.node for share in found.shares if share.gate.of_weights] if found is not None else []

    def culprits(self, plan: Plan, speed: float | None) -> tuple[Culprit, ...]:
        """The quantizations that cost most."""
        model, found = self._measured(plan)
        if found is None:
            return ()
        events = [e for _ in range(PROFILES) for e in profile(model, self.feed, runtime=self.runtime)]
        return culprits(model, plan, self.context.target, found, events, speed)

    def _measured(self, plan: Plan) -> tuple[ir.Model, Sensitivity | None]:
        """The model with its scales migrated, which is no error, and what was measured on it."""
        if is_large(self.model):
            return self.model, None
        quantized = replace(plan, substitutes=(), notes={})  # of what is exact or a remark, no error comes
        if self.latest and self.latest[0][0] == quantized:
            return self.latest[0][1:]
        migrated = replace(plan, roundings={}, bias_shifts={})
        model, _ = self.repairs.run(self.model.clone(), replace(self.context, plan=migrated))
        held = list(self.held_back)
        feeds = [held[at] for at in dict.fromkeys(int(len(held) * place) for place in PLACES)]
        found = sensitivity(model, plan, self.context.target, feeds, self.runtime, parts=self.parts)
        self.latest[:] = [(quantized, model, found)]
        return model, found
