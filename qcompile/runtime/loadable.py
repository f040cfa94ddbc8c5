"""What onnxruntime loads a model from: a file, or a graph in memory with its large weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir import serde

from qcompile.ir import data_folder, declared, graph_protos, graphs, has_external_data

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
    folder = data_folder(model)
    if folder is None and has_external_data(model):
        model = _read_in(model)
    proto, weights = _written(model), {}
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None:
            continue
        array = None if isinstance(tensor, ir.ExternalTensor) else _array(tensor)
        if array is not None:
            weights[name] = array
            tensor = _named(name, array, tensor.dtype)
        entry = proto.graph.initializer.add()
        serde.serialize_tensor_into(entry, tensor)
        entry.name = name
    return Loadable(proto.SerializeToString(), weights, folder)


def _written(model: ir.Model) -> onnx.ModelProto:
    """The model but for the initializers of its main graph, and for types inside: the runtime infers them anyway."""
    imports, version = declared(model)
    opsets = [onnx.helper.make_opsetid(domain, number) for domain, number in imports.items()]
    proto = onnx.ModelProto(ir_version=version, opset_import=opsets)
    for function in model.functions.values():
        serde.serialize_function_into(proto.functions.add(), function)
    graph = proto.graph
    graph.name = model.graph.name or "graph"
    for value in model.graph.inputs:
        serde.serialize_value_into(graph.input.add(), value)
    for value in model.graph.outputs:
        serde.serialize_value_into(graph.output.add(), value)
    for node in model.graph:
        serde.serialize_node_into(graph.node.add(), node)
    for inside in graph_protos(graph):
        del inside.value_info[:]
    return proto


def _read_in(model: ir.Model) -> ir.Model:
    """A copy whose weights are where the runtime needs no folder for them."""
    copy = model.clone()
    for graph in graphs(copy):
        for name, value in graph.initializers.items():
            if isinstance(value.const_value, ir.ExternalTensor):
                value.const_value = ir.Tensor(value.const_value.numpy(), dtype=value.const_value.dtype, name=name)
    return copy


def _array(tensor: ir.TensorProtocol) -> np.ndarray | None:
    """The weight as the runtime takes it beside the graph; None: it goes into the graph."""
    if tensor.nbytes < _BESIDE:
        return None
    array = tensor.numpy()
    return np.require(array, requirements=["C", "A"]) if array.dtype.name in _SHARED else None


def _named(name: str, array: np.ndarray, dtype: ir.DataType) -> ir.ExternalTensor:
    """A tensor that says type and shape, and no more."""
    return ir.ExternalTensor("", 0, array.nbytes, dtype, shape=ir.Shape(array.shape), name=name)
