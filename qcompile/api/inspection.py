"""Inspecting: what a model is, and what a target would do with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.api.results import NodeReport
from qcompile.api.source import open_source
from qcompile.decide import place
from qcompile.ir import Source, nodes, opset, quantized_form
from qcompile.pipeline import Context, Pipeline
from qcompile.targets import find_target


@dataclass(frozen=True)
class Inspection:
    """What a model is, and what a target would do with it."""

    path: str
    opset: int
    ir_version: int
    producer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    size: int
    op_counts: dict[str, int]
    quantized: str | None
    operators: tuple[NodeReport, ...]


def inspect(model: Source, *, target: str = "cpu") -> Inspection:
    """Describe a model and what would become of its nodes. Nothing is calibrated, so nothing is measured."""
    source = open_source(model)
    loaded = source.model
    form = quantized_form(loaded)
    return Inspection(
        path=source.name,
        opset=opset(loaded) or 0,
        ir_version=loaded.ir_version,
        producer=" ".join(filter(None, (loaded.producer_name, loaded.producer_version))),
        inputs=tuple(_signature(v) for v in loaded.graph.inputs if not v.is_initializer()),
        outputs=tuple(_signature(v) for v in loaded.graph.outputs),
        parameters=sum(_size(v) for v in loaded.graph.initializers.values()),
        size=source.size,
        op_counts=dict(Counter(node.op_type for node in nodes(loaded)).most_common()),
        quantized=form,
        operators=() if form else _placed(loaded, target),
    )


def _placed(model: ir.Model, target: str) -> tuple[NodeReport, ...]:
    context = Context(target=find_target(target))
    canonical, _ = Pipeline.default().stage("canonicalize").run(model.clone(), context)
    decisions = place(canonical, context.target).nodes
    return tuple(
        NodeReport(node.name or "", node.op_type, decisions[node.name].is_integer, 0, decisions[node.name].reason)
        for node in nodes(canonical)
        if node.name in decisions
    )


def _signature(value: ir.Value) -> str:
    shape = (
        "?" if value.shape is None else ",".join(str(d) if isinstance(d, int) else d.value or "?" for d in value.shape)
    )
    dtype = value.dtype.name.lower() if value.dtype else "?"
    return f"{value.name}: {dtype}[{shape}]"


def _size(value: ir.Value) -> int:
    return value.const_value.size if value.const_value is not None else 0
