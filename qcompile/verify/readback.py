"""What the runtime really runs: every compute node that it left in float, and every one that it quantized unasked."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir

from qcompile.ir import nodes
from qcompile.plan import Code, Plan, Reason
from qcompile.runtime import FLOAT_OPS, INTEGER_OPS, optimized_nodes
from qcompile.targets import Target


def surprises(model: ir.Model, plan: Plan, target: Target, threads: int = 1) -> list[tuple[str, Reason]]:
    """(node, reason) for what the runtime does otherwise than planned.

    Loads the model in the target's session; raises ModelError if it is refused.
    """
    ran = optimized_nodes(model, threads=threads, providers=target.providers, config=target.session_config)
    found: list[tuple[str, Reason]] = []
    integer = Counter(node.op_type for node in ran if node.op_type in INTEGER_OPS)
    written = Counter(node.op_type for node in nodes(model) if node.op_type in INTEGER_OPS)
    if plan.format == "qoperator":
        for op, count in integer.items():
            if count > written[op]:
                found.append((op, Reason(Code.RUNTIME_QUANTIZED, f"{count - written[op]} more {op} than written")))
        return found
    planned = {name for name, decision in plan.nodes.items() if decision.is_integer}
    for node in ran:
        name = next((n for n in planned if node.name == n or node.name.startswith(f"{n}_")), None)
        if node.op_type in FLOAT_OPS and name is not None:
            found.append((name, Reason(Code.RUNTIME_DECLINED, node.op_type)))
    return found
