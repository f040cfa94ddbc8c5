"""Tensors of a model file: each holds the data that it claims, and external data lies inside the model's folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from qcompile.errors import ModelError
from qcompile.ir.graphs import graphs

_TYPES = frozenset(int(dtype) for dtype in ir.DataType) - {TensorProto.UNDEFINED}
_COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)


def unpack_weights(model: ir.Model) -> None:
    """Keep weights as arrays: a tensor that stands behind a proto copies its data whenever somebody looks."""
    for graph in graphs(model):
        for value in graph.initializers.values():
            if isinstance(tensor := value.const_value, ir.TensorProtoTensor):
                value.const_value = ir.Tensor(
                    tensor.numpy(),
                    tensor.dtype,
                    name=tensor.name,
                    doc_string=tensor.doc_string,
                    metadata_props=dict(tensor.metadata_props),
                )


def body_protos(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs that a node carries as attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def check_tensors(proto: ModelProto, name: str, folder: Path | None) -> None:
    """Raises ModelError for a tensor without the data that it claims, or with data outside `folder` (None: nowhere)."""
    functions = (node for function in proto.functions for node in function.node)
    for tensor in (*proto.graph.initializer, *_node_tensors(proto.graph.node), *_node_tensors(functions)):
        which = f"weight {tensor.name!r} of {name}"
        if tensor.data_type not in _TYPES or any(dim < 0 for dim in tensor.dims):
            raise ModelError(f"no such type or shape for {which} (type {tensor.data_type}, shape {list(tensor.dims)})")
        if tensor.data_location == TensorProto.EXTERNAL:
            _check_external(tensor, which, folder)
        else:
            _check_inline(tensor, which)


def _node_tensors(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    """Tensors in attributes of the nodes, and all tensors of their bodies."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for body in body_protos(node):
            yield from body.initializer
            yield from _node_tensors(body.node)


def _check_inline(tensor: TensorProto, which: str) -> None:
    if tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING:
        held, wanted, unit = len(tensor.raw_data), _bytes(tensor), "bytes"
    else:
        held, wanted, unit = len(getattr(tensor, _field(tensor))), _entries(tensor), "entries"
    if held != wanted:
        raise ModelError(f"wrong amount of data for {which} ({held} {unit} where its shape needs {wanted})")


def _field(tensor: TensorProto) -> str:
    return str(onnx.helper.tensor_dtype_to_field(tensor.data_type))


def _entries(tensor: TensorProto) -> int:
    """Entries of the typed field: one an element, but two for a complex one, and one a byte where elements share it."""
    elements = _elements(tensor)
    if tensor.data_type == TensorProto.STRING:
        return elements
    return 2 * elements if tensor.data_type in _COMPLEX else min(elements, _bytes(tensor))


def _bytes(tensor: TensorProto) -> int:
    bits = int(ir.DataType(tensor.data_type).bitwidth)
    return (_elements(tensor) * bits + 7) // 8


def _elements(tensor: TensorProto) -> int:
    return int(math.prod(tensor.dims))


def _check_external(tensor: TensorProto, which: str, folder: Path | None) -> None:
    """External data must lie inside the model's folder, links resolved, and hold the bytes that are asked for."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    location = where.get("location", "")
    if folder is None:
        raise ModelError(f"external data of {which} (a proto has no folder); give the path of the model instead")
    if tensor.data_type == TensorProto.STRING:
        raise ModelError(f"external data of {which} (texts cannot be external); export the model again")
    file = folder / location
    if not location or Path(location).is_absolute() or not _lies_in(file, folder):
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


def _lies_in(file: Path, folder: Path) -> bool:
    try:
        return file.resolve().is_relative_to(folder)
    except (OSError, RuntimeError, ValueError):  # no path at all, or links that go in circles
        return False
