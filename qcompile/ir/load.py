"""From a file to a graph: what can be wrong with a model is said here, in one line, before a pass sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from qcompile.errors import ModelError
from qcompile.ir.graphs import constant, graphs

Source = str | Path | ModelProto | ir.Model


def load_model(source: Source) -> ir.Model:
    """Read a model from a path, a proto or an onnx_ir model; the source is never changed.

    External data stays on disk (memory-mapped where it is read). Raises ModelError with one line that names what is
    wrong: unreadable or empty, no opset, a value used but never made or made twice, external data missing or outside
    the model's folder, sparse initializers, a NaN or infinite weight.
    """
    if isinstance(source, ir.Model):
        return source.clone()
    if isinstance(source, ModelProto):
        proto, name, folder = source, "the model", None
    else:
        path = Path(source)
        proto, name, folder = _read(path), str(source), path.resolve().parent
    _check(proto, name, folder)
    model = ir.from_proto(proto)
    if folder is not None:
        for graph in graphs(model):
            ir.external_data.set_base_dir(graph, folder)
    _check_weights(model, name)
    return model


def _read(path: Path) -> ModelProto:
    if path.is_dir():
        raise ModelError(f"no model in {path} (it is a folder); name the .onnx file in it")
    try:
        proto = onnx.load_model(path, format="protobuf", load_external_data=False)
    except OSError as error:
        raise ModelError(f"no model in {path} ({error.strerror or error}); check the path") from error
    except DecodeError as error:
        raise ModelError(f"no readable ONNX model in {path} (truncated, or another kind of file)") from error
    return proto


def _check(proto: ModelProto, name: str, folder: Path | None) -> None:
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise ModelError(f"no graph in {name} (empty file, or another kind of file); export the model again")
    if not any(entry.domain in ("", "ai.onnx") for entry in proto.opset_import):
        raise ModelError(f"no opset_import for the standard domain in {name}; export the model again")
    if not proto.graph.node:
        raise ModelError(f"empty graph in {name} (it has no nodes)")
    if not proto.graph.output:
        raise ModelError(f"no outputs in {name} (nothing would be computed)")
    for graph in _graphs(proto.graph):
        if graph.sparse_initializer:
            weight = graph.sparse_initializer[0].values.name
            raise ModelError(f"sparse initializer {weight!r} in {name} (not supported); export it dense")
    _check_values(proto.graph, set(), name)
    for tensor in _tensors(proto):
        _check_external(tensor, name, folder)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for body in _bodies(node):
            yield from _graphs(body)


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _check_values(graph: GraphProto, outer: set[str], name: str) -> None:
    """Every value is made once and before something reads it does not matter: only that somebody makes it."""
    made: set[str] = set()
    initialized = {t.name for t in graph.initializer}
    inputs = [v.name for v in graph.input]
    outputs = [o for node in graph.node for o in node.output if o]
    for value in [*inputs, *(initialized - set(inputs)), *outputs]:
        if value in made:
            raise ModelError(f"duplicate value {value!r} in {name} (made twice); export the model again")
        made.add(value)
    if len(initialized) != len(graph.initializer):
        raise ModelError(f"duplicate initializer in {name} (two weights share a name); export the model again")
    visible = made | outer
    for node in graph.node:
        missing = next((i for i in node.input if i and i not in visible), None)
        if missing is not None:
            raise ModelError(f"dangling value {missing!r} in {name} (read by node {node.name!r}, made by nobody)")
        for body in _bodies(node):
            _check_values(body, visible, name)
    missing = next((o.name for o in graph.output if o.name not in visible), None)
    if missing is not None:
        raise ModelError(f"dangling output {missing!r} in {name} (made by nobody)")


def _tensors(proto: ModelProto) -> Iterator[TensorProto]:
    for graph in _graphs(proto.graph):
        yield from graph.initializer
        for node in graph.node:
            yield from _attribute_tensors(node)
    for function in proto.functions:
        for node in function.node:
            yield from _attribute_tensors(node)


def _attribute_tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _check_external(tensor: TensorProto, name: str, folder: Path | None) -> None:
    """External data must lie inside the model's folder, links resolved, and hold the bytes that are asked for."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return
    where = {entry.key: entry.value for entry in tensor.external_data}
    location = where.get("location", "")
    which = f"weight {tensor.name!r} of {name}"
    if folder is None:
        raise ModelError(f"external data of {which} (a proto has no folder); give the path of the model instead")
    file = folder / location
    if not location or Path(location).is_absolute() or not file.resolve().is_relative_to(folder):
        raise ModelError(f"external data outside the model's folder for {which} ({location!r}); refused")
    if not file.is_file() or file.stat().st_nlink > 1:
        why = "no such file" if not file.is_file() else "a hard link could lie outside the folder"
        raise ModelError(f"external data unusable for {which} ({location!r}: {why})")
    try:
        offset, length = int(where.get("offset", 0)), int(where.get("length", 0))
    except ValueError:
        raise ModelError(f"external data unreadable for {which} (offset or length is no number)") from None
    if offset < 0 or length < 0 or offset + max(length, _bytes(tensor)) > file.stat().st_size:
        raise ModelError(f"external data too short for {which} ({location!r} is truncated)")


def _bytes(tensor: TensorProto) -> int:
    bits: int = ir.DataType(tensor.data_type).bitwidth
    elements: int = math.prod(tensor.dims)
    return (elements * bits + 7) // 8


def _check_weights(model: ir.Model, name: str) -> None:
    """A NaN or infinite float weight would poison every scale; constants of masks (-inf) are not weights."""
    for graph in graphs(model):
        for value in graph.initializers.values():
            tensor = value.const_value
            if tensor is None or tensor.dtype not in _FLOATS:
                continue
            if _has_nan(tensor.numpy()):
                raise ModelError(f"NaN in weight {value.name!r} of {name}; train or export the model again")
        for node in graph:
            array = constant(node.outputs[0]) if node.op_type == "Constant" and node.outputs else None
            if array is not None and array.dtype.kind == "f" and _has_nan(array):
                raise ModelError(f"NaN in constant {node.outputs[0].name!r} of {name}; train or export the model again")


_FLOATS = {ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16}
_CHUNK = 1 << 22


def _has_nan(array: np.ndarray) -> bool:
    """In pieces, so that a memory-mapped weight of any size costs little memory."""
    flat = array.reshape(-1)
    return any(bool(np.isnan(flat[i : i + _CHUNK].astype(np.float32)).any()) for i in range(0, flat.size, _CHUNK))
