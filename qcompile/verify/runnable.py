"""Whether the runtime knows everything in a model, said with the node to blame."""

from __future__ import annotations

import re

import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import nodes
from qcompile.runtime import Session


def check_runnable(model: ir.Model) -> None:
    """Raises ModelError, naming operator and node where one is unknown, if the runtime does not load the model."""
    try:
        Session(model, optimize=False)
    except ModelError as error:
        unknown = re.search(r"([\w.]*):(\w+)\(-?\d+\) is not a registered function/op", str(error))
        if unknown is None:
            raise
        domain, op_type = unknown.groups()
        node = next((n for n in nodes(model) if n.op_type == op_type and n.domain == domain), None)
        where = f" (node {node.name!r})" if node is not None else ""
        raise ModelError(
            f"unknown operator {domain or 'ai.onnx'}:{op_type}{where} (onnxruntime has no such operator); "
            "replace it when exporting"
        ) from error
