"""Versions: the opset that the passes are written for, and what a model must declare."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from qcompile.ir.graphs import nodes

MINIMUM_OPSET = 21
"""Every model is raised to it, so that a pass meets one form of an op (axes as inputs, per-channel and 4-bit Q/DQ)."""

CONTRIB = "com.microsoft"


def opset(model: ir.Model) -> int | None:
    """Version of the standard domain that the model imports."""
    imports = model.graph.opset_imports
    return imports.get("", imports.get("ai.onnx"))


def declare(model: ir.Model) -> None:
    """Make the model's imports and IR version agree with the nodes that it holds."""
    imports, model.ir_version = declared(model)
    model.graph.opset_imports.update(imports)


def declared(model: ir.Model) -> tuple[dict[str, int], int]:
    """The imports and the IR version that agree with the nodes that the model holds."""
    used, imports = {node.domain for node in nodes(model)}, dict(model.graph.opset_imports)
    if CONTRIB in used:
        imports.setdefault(CONTRIB, 1)
    identifiers = [onnx.helper.make_opsetid(domain, version) for domain, version in imports.items()]
    lowest = onnx.helper.find_min_ir_version_for(identifiers, ignore_unknown=True)
    return imports, max(model.ir_version, lowest)


_RUNTIME_FOR_OPSET = {21: "1.18", 22: "1.21", 23: "1.23"}
"""First onnxruntime release that loads an opset; tried with the releases themselves."""


def lowest_runtime(model: ir.Model) -> str:
    """The lowest onnxruntime and IR version that load the model, for people."""
    version = opset(model) or MINIMUM_OPSET
    release = _RUNTIME_FOR_OPSET.get(max(version, MINIMUM_OPSET))
    return f"onnxruntime >= {release or 'the first that knows opset ' + str(version)}, IR version {model.ir_version}"
