"""Whether the runtime knows everything in a model, said with the node to blame."""

from __future__ import annotations

import re

import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import nodes
from qcompile.runtime import ONE_THREAD, Runtime, Session

_UNKNOWN = (
    r"(?P<domain>[\w.]*):(?P<op>\w+)\(-?\d+\) is not a registered function/op",
    r"No Op registered for (?P<op>\w+) with domain_version",
)
"""How the runtime says it: of a foreign domain, and of the standard one."""


def check_runnable(model: ir.Model, runtime: Runtime = ONE_THREAD) -> None:
    """Raises ModelError, naming operator and node where one is unknown, if the runtime does not load the model."""
    try:
        Session(model, runtime, optimize=False)
    except ModelError as error:
        said = str(error.__cause__)  # our own line may be cut short
        unknown = next(filter(None, (re.search(pattern, said) for pattern in _UNKNOWN)), None)
        if unknown is None:
            raise
        domain, op_type = unknown.groupdict().get("domain", ""), unknown["op"]
        node = next((n for n in nodes(model) if n.op_type == op_type and n.domain == domain), None)
        where = f" (node {node.name!r})" if node is not None else ""
        raise ModelError(
            f"unknown operator {domain or 'ai.onnx'}:{op_type}{where} (onnxruntime has no such operator); "
            "give the library that has it with --custom-op-library, or replace it when exporting"
        ) from error
