"""What onnxruntime loads a model from: a file, or a graph in memory with its large weights beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from qcompile.ir import graphs, to_proto

Runnable = ir.Model | onnx.ModelProto | bytes | Path

_BESIDE = 1 << 16
"""Bytes from which on a weight is not copied into the serialized graph, which holds 2 GiB at most."""

_SHARED = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64 float16".split()
"""Types that numpy and the runtime keep alike in memory."""


def loadable(model: Runnable) -> tuple[str | bytes, dict[str, np.ndarray]]:
    """Path or bytes, and the weights that they lack, by name: views of the model's own, or of its data files."""
    if isinstance(model, Path):
        return str(model), {}
    if isinstance(model, bytes):
        return model, {}
    if isinstance(model, onnx.ModelProto):
        return model.SerializeToString(), {}
    light, weights = model.clone(), {}
    for graph in graphs(light):
        for name, value in graph.initializers.items():
            tensor = value.const_value
            if tensor is None:
                continue
            array = _array(tensor) if graph is light.graph else None
            if array is not None:
                weights[name] = array
                value.const_value = ir.ExternalTensor("", 0, array.nbytes, tensor.dtype, shape=tensor.shape, name=name)
            elif isinstance(tensor, ir.ExternalTensor):
                value.const_value = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=name)
    return to_proto(light).SerializeToString(), weights


def _array(tensor: ir.TensorProtocol) -> np.ndarray | None:
    """The weight as the runtime takes it beside the graph; None: it goes into the graph."""
    if tensor.nbytes < _BESIDE:
        return None
    array = tensor.numpy()
    return np.require(array, requirements="CA") if array.dtype.name in _SHARED else None
