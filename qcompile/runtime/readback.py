"""What the runtime made of a model: its optimised graph, read back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import onnx_ir as ir

from qcompile.runtime.options import ONE_THREAD, Runtime
from qcompile.runtime.session import Session

INTEGER_OPS = frozenset(
    {
        "ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat",
        "MatMulNBits", "QAttention", "QGemm", "QLinearConv", "QLinearConvTranspose", "QLinearMatMul",
    }
)  # fmt: skip
"""Ops with multiply-adds on integers."""

FLOAT_OPS = frozenset(
    {
        "Attention", "Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "GRU", "LSTM",
        "MatMul", "MultiHeadAttention", "NhwcFusedConv", "RNN",
    }
)  # fmt: skip
"""Ops with multiply-adds on floats."""


def optimized_nodes(
    model: ir.Model,
    runtime: Runtime = ONE_THREAD,
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    config: Mapping[str, str] | None = None,
) -> list[onnx.NodeProto]:
    """Every node of the graph that such a session really runs, bodies included. Raises ModelError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        Session(model, runtime, providers=providers, config=config, optimized_path=path)
        proto = onnx.load_model(path, load_external_data=False)
    return list(_nodes(proto.graph))


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                found += _nodes(body)
    return found
