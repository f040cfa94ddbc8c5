"""More than 8 bits for what integer products give to readers of floats: images, boxes and scores show every step."""

from __future__ import annotations

from dataclasses import replace

from qcompile.decide.facts import node_facts
from qcompile.decide.placement import Placement, Unit
from qcompile.plan import Code, Decision, Form, Plan, Reason


def precise_outputs(placement: Placement, plan: Plan) -> Plan | None:
    """The plan in which products that only floats read give floats, or codes in several segments.

    Which of the two is up to the target's table; floats come first, since nothing is lost. None where there is no such
    product, or in a format whose runtimes fuse neither.
    """
    if plan.format != "qoperator":
        return None
    nodes, values, segments = dict(plan.nodes), dict(plan.values), dict(plan.segments)
    for unit in placement.units:
        name = unit.node.name or ""
        if not plan.makes_codes(name) or not _only_floats_read(unit, plan):
            continue
        facts = node_facts(unit.node)
        if unit.entry.gives_floats(facts):
            nodes[name] = Decision(Form.INTEGER_TO_FLOAT)
            nodes |= {c.name or "": Decision(Form.FLOAT, Reason(Code.NOT_BETWEEN_INTEGERS)) for c in unit.clamps}
            for value in unit.outputs:
                values.pop(value.name or "", None)
        elif (count := unit.entry.segments(facts)) > 1:
            segments[name] = count
    if nodes == plan.nodes and segments == plan.segments:
        return None
    notes = {**plan.notes, "outputs": "more than 8 bits"}
    return replace(plan, nodes=nodes, values=values, segments=segments, notes=notes)


def _only_floats_read(unit: Unit, plan: Plan) -> bool:
    """Whether neither an integer node nor a caller who takes 8-bit outputs reads what the unit makes."""
    codes_leave = plan.io_type == "quantized" and any(value.is_graph_output() for value in unit.outputs)
    return not codes_leave and not any(plan.reads_codes(use.node.name) for v in unit.outputs for use in v.uses())
