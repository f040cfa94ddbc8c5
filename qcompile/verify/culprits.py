"""The verdict in words: which quantizations cost most, what was tried on them, and what would make them exact."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import onnx_ir as ir

from qcompile.ir import nodes
from qcompile.plan import Code, Plan
from qcompile.runtime import Event
from qcompile.targets import Target
from qcompile.verify.gates import Gate
from qcompile.verify.remedy import float_nodes
from qcompile.verify.sensitivity import Sensitivity, Share
from qcompile.verify.work import multiply_adds

COUNT = 3


@dataclass(frozen=True)
class Culprit:
    """One quantization that costs much, and how to be rid of it."""

    value: str
    node: str
    """What makes the value, or reads it if it is a weight; empty for an input of the model."""
    op_type: str
    of_weights: bool
    output: str
    """The output that suffers most, or the part of it."""
    share: float
    """Noise power there with this quantization alone, over that with all; more than 1 where errors cancel."""
    tried: tuple[str, ...]
    """What the plan has done for it already, a few words each."""
    in_float: tuple[str, ...]
    """Nodes that compute in float once it is gone, in graph order."""
    multiply_adds: float
    """Their share of the model's, 0..1."""
    slower: float | None
    """About how much longer a run then takes, as a share: their part of the float model's time, if that shrinks as the
    whole did. None where nothing was timed."""
    option: str
    """What to add to the command line."""


def culprits(
    canonical: ir.Model,
    plan: Plan,
    target: Target,
    found: Sensitivity,
    events: Sequence[Event],
    speed: float | None = None,
    count: int = COUNT,
) -> tuple[Culprit, ...]:
    """The worst quantizations of a plan, the worst first.

    `events` is a profile of the canonical model, over several runs; `speed` the float model's latency over
    that of the result, if known.
    """
    finder = _Finder(canonical, plan, target, found.output, events, speed)
    return tuple(finder.culprit(share) for share in found.shares[:count] if share.share > 0)


class _Finder:
    def __init__(
        self,
        canonical: ir.Model,
        plan: Plan,
        target: Target,
        output: str,
        events: Sequence[Event],
        speed: float | None,
    ) -> None:
        self.canonical, self.plan, self.target, self.output, self.speed = canonical, plan, target, output, speed
        self.nodes = {node.name or "": node for node in nodes(canonical)}
        self.macs = multiply_adds(events)
        runs: dict[str, list[int]] = {}
        for event in events:
            runs.setdefault(event.name, []).append(event.microseconds)
        self.times = {name: median(times) for name, times in runs.items()}  # the first run of all takes longer

    def culprit(self, share: Share) -> Culprit:
        gate = share.gate
        wanted = float_nodes(self.canonical, self.plan, self.target, gate)
        names = tuple(name for name in self.nodes if name in wanted)
        slower = _part(self.times, names) * max(0.0, self.speed - 1) if self.speed is not None else None
        return Culprit(
            value=gate.value,
            node=gate.node,
            op_type=self.nodes[gate.node].op_type if gate.node else "",
            of_weights=gate.of_weights,
            output=self.output,
            share=share.share,
            tried=tuple(self._tried(gate)),
            in_float=names,
            multiply_adds=_part(self.macs, names),
            slower=slower,
            option=f"--exclude {shlex.quote(_only(names))}",
        )

    def _tried(self, gate: Gate) -> Iterator[str]:
        plan = self.plan
        if not gate.of_weights:
            if gate.value in plan.values:
                yield f"range by {plan.notes.get('observer', 'the plan')}"
            else:
                yield "range of its own at every run"
            if gate.value in plan.migrations:
                yield "channels scaled alike"
            if plan.segments.get(gate.node, 1) > 1:
                yield f"{plan.segments[gate.node]} times 8 bits"
        else:
            params = [p for (name, _), p in plan.weights.items() if name == gate.node]
            yield "a scale per channel" if any(p.axis is not None for p in params) else "one scale"
            if any(name == gate.node for name, _ in plan.roundings):
                yield f"codes by {plan.notes.get('rounding', 'the plan')}"
            if gate.node in plan.bias_shifts:
                yield "bias corrected"
        if near := sorted(self._float_neighbours(gate)):
            yield f"float at {', '.join(near)}"

    def _float_neighbours(self, gate: Gate) -> set[str]:
        """Nodes beside it that were given back to float for their accuracy."""
        node = self.nodes.get(gate.node)
        values = [v for v in (*node.inputs, *node.outputs) if v is not None] if node is not None else []
        beside = {use.node.name or "" for v in values for use in v.uses()}
        beside |= {maker.name or "" for v in values if (maker := v.producer()) is not None}
        reasons = {name: reason for name, reason in self.plan.stayed_float() if name in beside}
        return {name for name, reason in reasons.items() if reason.code is Code.KEPT_FOR_ACCURACY}


def _part(amounts: Mapping[str, float], names: Sequence[str]) -> float:
    total = sum(amounts.values())
    return sum(amounts.get(name, 0) for name in names) / total if total else 0.0


def _only(names: Sequence[str]) -> str:
    """A regular expression that these names match and no others."""
    escaped = [re.escape(name) for name in names]
    return f"^{escaped[0]}$" if len(escaped) == 1 else f"^({'|'.join(escaped)})$"
