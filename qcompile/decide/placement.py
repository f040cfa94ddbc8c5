"""Where integers go: which nodes compute on them, and which values share quantization parameters.

Decided from structure alone, before anything is observed, so that only what gets a scale is observed. Weighted nodes
that the target supports always are integer. Everything else is integer only between integers: all its activations
come from integer nodes and somebody integer reads it; so tails behind the last weighted node stay float.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from qcompile.decide.facts import computes_float, node_facts, sum_bound
from qcompile.decide.recipe_rules import NO_OVERRIDES, Overrides
from qcompile.errors import RecipeError
from qcompile.ir import constant, is_op, scalar_constant, sole_consumer
from qcompile.ir import nodes as all_nodes
from qcompile.plan import Code, Decision, Form, Reason
from qcompile.quant import INT32_MAX
from qcompile.targets import OpEntry, Role, Target

FLOAT_AMONG_FLOATS = ("Relu", "Clip", "MaxPool")
"""Moves that stay float where they read floats: before a clamp, codes would go to values that it cuts off; before a
pooling there is more to quantize, in a layout in which 8-bit pooling takes 20 times as long."""


@dataclass
class Unit:
    """An integer node with the clamps that its requantization absorbs."""

    node: ir.Node
    entry: OpEntry
    clamps: list[ir.Node] = field(default_factory=list)
    form: Form = Form.INTEGER

    @property
    def outputs(self) -> Sequence[ir.Value]:
        """The values that leave the unit."""
        return self.clamps[-1].outputs if self.clamps else self.node.outputs

    @property
    def activations(self) -> list[ir.Value]:
        """The activations that enter the unit."""
        indexes = range(len(self.node.inputs)) if self.entry.activations is None else self.entry.activations
        found = (self.node.inputs[i] for i in indexes if i < len(self.node.inputs))
        return [value for value in found if value is not None]


@dataclass
class Placement:
    """Decisions by node name, integer units in graph order, and for each quantized value the group it belongs to.

    `groups` maps a value's name to the name of the value whose range it takes: a value that was only moved (Reshape,
    MaxPool, ...) takes that of where it came from.
    """

    nodes: dict[str, Decision]
    units: list[Unit]
    groups: dict[str, str]
    overrides: Overrides = NO_OVERRIDES
    """What a recipe says of the nodes."""

    @property
    def unit_names(self) -> list[str]:
        """Names of the integer nodes that units are named after, in graph order."""
        return [unit.node.name or "" for unit in self.units]

    @property
    def observed(self) -> list[str]:
        """Names of the values whose range is needed, in graph order."""
        return list(dict.fromkeys(self.groups.values()))


def place(
    model: ir.Model,
    target: Target,
    exclude: Sequence[str] = (),
    kept_float: Mapping[str, Reason] | None = None,
    *,
    overrides: Overrides = NO_OVERRIDES,
    dynamic: bool = False,
    quantized_outputs: bool = False,
    format_: str = "qoperator",
) -> Placement:
    """Decide where integers go, in the main graph and in all bodies.

    `exclude` holds regular expressions over node names and op types, `kept_float` names further nodes that stay float,
    with the reason; `overrides` holds what a recipe says of nodes. `dynamic` lets products with a float result take
    the range of their input at run time, where the target can: for want of data. With
    `quantized_outputs` the outputs of the model are integers for whoever reads them.

    Raises RecipeError if an expression is none or matches nothing.
    """
    reasons = overrides.reasons(kept_float or {}) | _excluded(model, exclude)
    everything = [node for node in all_nodes(model) if computes_float(node)]
    nodes: dict[str, Decision] = {}
    units: dict[ir.Node, Unit] = {}
    among_floats: dict[ir.Node, Unit] = {}
    for node in everything:
        found = reasons.get(node.name or "") or _supported(node, target, format_)
        if isinstance(found, OpEntry) and found.joins_floats:
            among_floats[node] = Unit(node, found, form=Form.DYNAMIC)
        elif isinstance(found, OpEntry):
            units[node] = Unit(node, found)
        else:
            nodes[node.name or ""] = Decision(Form.FLOAT, found)
    clamps = _absorb_clamps(units, {*reasons, *overrides.symmetric})
    leaving = model.graph.outputs if quantized_outputs else ()
    _keep_between_integers(units, clamps, leaving)
    _give_floats_where_floats_are_read(units, clamps, leaving)
    _make_dynamic(units, clamps, overrides, dynamic)
    units |= among_floats  # only now: to its neighbours such a node is a float one
    for node in everything:
        if node in units or (node in clamps and clamps[node] in units):
            unit = units.get(node) or units[clamps[node]]
            nodes[node.name or ""] = Decision(unit.form)
        else:
            nodes.setdefault(node.name or "", Decision(Form.FLOAT, Reason(Code.NOT_BETWEEN_INTEGERS)))
    order = {node: i for i, node in enumerate(everything)}
    kept = sorted(units.values(), key=lambda unit: order[unit.node])
    return Placement({node.name or "": nodes[node.name or ""] for node in everything}, kept, _groups(kept), overrides)


def unseen(placement: Placement, seen: Collection[str]) -> dict[str, Reason]:
    """Nodes that read or make values which calibration never met (a branch not taken, say), with that reason."""
    found = {}
    for unit in placement.units:
        names = [value.name or "" for value in (*unit.activations, *unit.outputs)]
        missing = next((n for n in names if n in placement.groups and placement.groups[n] not in seen), None)
        if missing is not None:
            found[unit.node.name or ""] = Reason(Code.NO_RANGE, missing)
    return found


def _supported(node: ir.Node, target: Target, format_: str) -> OpEntry | Reason:
    """The target's entry for a node; or why it stays float, if only for the numbers in its constants."""
    entry = target.supports(node_facts(node), format_)
    if isinstance(entry, Reason):
        return entry
    unit = Unit(node, entry)
    factors = [node.inputs[i] for i in (*entry.weights, entry.bias) if i is not None and i < len(node.inputs)]
    for value in (*unit.activations, *factors):
        array = constant(value)
        if array is not None and not np.isfinite(array).all():
            return Reason(Code.UNSUPPORTED_FORM, "a constant of it is not finite")
    if not entry.weights:
        return entry
    if constant(unit.activations[0]) is not None:
        return Reason(Code.UNSUPPORTED_FORM, "both factors are constant")
    if sum_bound(node, entry) >= INT32_MAX:
        return Reason(Code.UNSUPPORTED_FORM, "its sums may overflow int32")
    return entry


def _excluded(model: ir.Model, patterns: Sequence[str]) -> dict[str, Reason]:
    found: dict[str, Reason] = {}
    for pattern in patterns:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise RecipeError(f"no regular expression in --exclude {pattern!r} ({error})") from error
        hits = [n for n in all_nodes(model) if expression.search(n.name or "") or expression.fullmatch(n.op_type)]
        if not hits:
            raise RecipeError(f"--exclude {pattern!r} matches no node name and no op type; see qcompile inspect")
        found |= {node.name or "": Reason(Code.EXCLUDED, pattern) for node in hits}
    return found


def _absorb_clamps(units: dict[ir.Node, Unit], kept: Collection[str]) -> dict[ir.Node, ir.Node]:
    """Give each unit the clamps behind it; returns clamp -> the unit's node. The clamps stop being units.

    `kept` names nodes that have no part in this: floats, and makers of codes that do not end where a clamp does.
    """
    owner: dict[ir.Node, ir.Node] = {}
    for unit in list(units.values()):
        while unit.entry.absorbs and unit.node not in owner and unit.node.name not in kept:
            after = sole_consumer(unit.outputs[0])
            if after is None or after.name in kept or not is_op(after, *unit.entry.absorbs):
                break
            if not _clamps_around_zero(after) or after.graph is not unit.node.graph:
                break
            unit.clamps.append(after)
            owner[after] = unit.node
    for clamp in owner:
        units.pop(clamp, None)
    return owner


def _clamps_around_zero(node: ir.Node) -> bool:
    """A clamp whose bounds hold zero can be the requantization's saturation: zero has a code of its own."""
    if node.op_type == "Relu":
        return True
    bounds = [scalar_constant(value) for value in node.inputs[1:3]]
    present = [value for value in node.inputs[1:3] if value is not None]
    if len([b for b in bounds if b is not None]) != len(present):
        return False
    low = bounds[0] if bounds and bounds[0] is not None else -float("inf")
    high = bounds[1] if len(bounds) > 1 and bounds[1] is not None else float("inf")
    return low <= 0.0 < high


def _keep_between_integers(
    units: dict[ir.Node, Unit], clamps: dict[ir.Node, ir.Node], leaving: Sequence[ir.Value]
) -> None:
    """Drop units that are not weighted and have float neighbours, until none is left.

    `leaving` holds the outputs of the model that are read as integers.
    """

    def producer(value: ir.Value) -> ir.Node | None:
        node = value.producer()
        return clamps.get(node, node) if node is not None else None

    changed = True
    while changed:
        changed = False
        for unit in list(units.values()):
            if unit.entry.role is Role.WEIGHTED:
                continue
            readers = [use.node for value in unit.outputs for use in value.uses()]
            outputs = [value for value in unit.outputs if value.is_graph_output()]
            read = any(reader in units for reader in readers) or any(value in leaving for value in outputs)
            all_read = read and all(reader in units for reader in readers)
            all_read = all_read and all(value in leaving for value in outputs)
            constants = [v for v in unit.activations if constant(v) is not None]
            available = all(producer(v) in units or v in constants for v in unit.activations)
            available = available and len(constants) < len(unit.activations)
            movable = (
                unit.entry.role is Role.MOVE
                and unit.node.op_type not in FLOAT_AMONG_FLOATS
                and all_read
                and not constants
            )
            if not read or not (available or movable):
                del units[unit.node]
                changed = True


def _give_floats_where_floats_are_read(
    units: dict[ir.Node, Unit], clamps: dict[ir.Node, ir.Node], leaving: Sequence[ir.Value]
) -> None:
    """Let products that nobody integer reads dequantize their own results; their clamps are float nodes again."""
    for unit in units.values():
        readers = [use.node for value in unit.outputs for use in value.uses()]
        read = any(reader in units for reader in readers) or any(value in leaving for value in unit.outputs)
        if Form.INTEGER_TO_FLOAT in unit.entry.forms and not read:
            unit.form = Form.INTEGER_TO_FLOAT
            for clamp in unit.clamps:
                clamps.pop(clamp, None)
            unit.clamps = []


def _make_dynamic(
    units: dict[ir.Node, Unit], clamps: dict[ir.Node, ir.Node], overrides: Overrides, dynamic: bool
) -> None:
    """Let products between floats quantize their input by themselves; one that comes as integers already is fixed."""
    for unit in units.values():
        wanted = overrides.form(unit.node.name) or (Form.DYNAMIC if dynamic else None)
        if wanted is not Form.DYNAMIC:
            continue
        producer = unit.activations[0].producer()
        is_free = producer is None or clamps.get(producer, producer) not in units
        if is_free and unit.form is Form.INTEGER_TO_FLOAT and Form.DYNAMIC in unit.entry.forms:
            unit.form = Form.DYNAMIC


def _groups(units: Sequence[Unit]) -> dict[str, str]:
    """For every quantized value the value whose range it takes."""
    groups: dict[str, str] = {}
    for unit in units:
        if unit.form is Form.DYNAMIC:
            continue
        for value in unit.activations:
            if constant(value) is None:
                groups.setdefault(value.name or "", value.name or "")
        if unit.form is Form.INTEGER_TO_FLOAT:
            continue
        moved = next(value for value in unit.activations if constant(value) is None)
        source = groups[moved.name or ""] if unit.entry.role is Role.MOVE else None
        for value in unit.outputs:
            groups[value.name or ""] = source or value.name or ""
    return groups
