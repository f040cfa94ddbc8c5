"""What onnxruntime loads a model from: a file, or a graph in memory with its large weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from qcompile.ir import data_folder, graphs, to_proto

Runnable = ir.Model | onnx.ModelProto | bytes | Path

_BESIDE = 1 << 16
"""Bytes from which on a weight is not copied into the serialized graph, which holds 2 GiB at most."""

_SHARED = {"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"}
"""Types that numpy and the runtime keep alike in memory."""


@dataclass(frozen=True)
class Loadable:
    """A model as the runtime takes it."""

    graph: str | bytes
    """A path, or the serialized model."""
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Weights of the main graph that the serialized model only names."""
    folder: Path | None = None
    """Where the data files of the serialized model lie, which the runtime maps into memory."""


def loadable(model: Runnable) -> Loadable:
    """The model in a form that needs no second copy of what lies in data files."""
    if isinstance(model, Path):
        return Loadable(str(model))
    if isinstance(model, bytes):
        return Loadable(model)
    if isinstance(model, onnx.ModelProto):
        return Loadable(model.SerializeToString())
    light, weights = model.clone(), {}
    folder = data_folder(model)
    for graph in graphs(light):
        for name, value in graph.initializers.items():
            tensor = value.const_value
            if tensor is None or (isinstance(tensor, ir.ExternalTensor) and folder is not None):
                continue
            array = _array(tensor) if graph is light.graph else None
            if array is not None:
                weights[name] = array
                value.const_value = _named(name, array, tensor.dtype)
            elif isinstance(tensor, ir.ExternalTensor):
                value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=name)
        _forget_types(graph)
    return Loadable(to_proto(light).SerializeToString(), weights, folder)


def _forget_types(graph: ir.Graph) -> None:
    """Leave the types inside the graph to the runtime, which infers them anyway: writing them takes time."""
    inside = [v for v in graph.initializers.values() if not v.is_graph_input()]
    inside += [v for node in graph for v in node.outputs]
    for value in inside:
        if not value.is_graph_output():
            value.type = value.shape = None


def _array(tensor: ir.TensorProtocol) -> np.ndarray | None:
    """The weight as the runtime takes it beside the graph; None: it goes into the graph."""
    if tensor.nbytes < _BESIDE:
        return None
    array = tensor.numpy()
    return np.require(array, requirements=["C", "A"]) if array.dtype.name in _SHARED else None


def _named(name: str, array: np.ndarray, dtype: ir.DataType) -> ir.ExternalTensor:
    """A tensor that says type and shape, and no more."""
    return ir.ExternalTensor("", 0, array.nbytes, dtype, shape=ir.Shape(array.shape), name=name)
