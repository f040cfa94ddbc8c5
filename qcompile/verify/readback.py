"""What the runtime really runs: every compute node that it left in float, and every one that it quantized unasked."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from qcompile.plan import Code, Form, Plan, Reason
from qcompile.runtime import FLOAT_OPS, INTEGER_OPS, ONE_THREAD, Runtime, optimized_nodes
from qcompile.targets import Target


def surprises(model: ir.Model, plan: Plan, target: Target, runtime: Runtime = ONE_THREAD) -> list[tuple[str, Reason]]:
    """(node, reason) for what the runtime does otherwise than planned.

    Loads the model in the target's session; raises ModelError if it is refused.
    """
    found: dict[str, Reason] = {}
    ran = optimized_nodes(model, runtime, providers=target.providers, config=target.session_config)
    floats = {output for node in ran if node.op_type == "DequantizeLinear" for output in node.output}
    for node in ran:
        name = _origin(node.name, plan.nodes)
        if name is None or node.op_type.endswith("QuantizeLinear"):
            continue
        decision = plan.nodes[name]
        reads_floats = decision.form is Form.INTEGER and not floats.isdisjoint(node.input)
        if decision.is_integer and (node.op_type in FLOAT_OPS or reads_floats):
            found[name] = Reason(Code.RUNTIME_DECLINED, node.op_type)
        elif not decision.is_integer and node.op_type in INTEGER_OPS:
            found[name] = Reason(Code.RUNTIME_QUANTIZED, node.op_type)
    return list(found.items())


def _origin(name: str, planned: Collection[str]) -> str | None:
    """The planned node behind one of the runtime's, which its fusions call `fused NAME`, `NAME_token_3`, `NAME/X`."""
    name = name.removeprefix("fused ")
    if name in planned:
        return name
    begins = (p for p in planned if p and name.startswith((f"{p}_", f"{p}/", f"{p} ")))
    return max(begins, key=len, default=None)
