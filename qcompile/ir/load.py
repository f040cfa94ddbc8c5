"""From a file to a graph: what can be wrong with a model is said here, in one line, before a pass sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto

from qcompile.errors import ModelError
from qcompile.ir.graphs import bodies, graphs, is_op
from qcompile.ir.tensors import body_protos, check_tensors, unpack_weights

Source = str | Path | ModelProto | ir.Model


def load_model(source: Source) -> ir.Model:
    """Read a model from a path, a proto or an onnx_ir model; the source is never changed.

    External data stays on disk (memory-mapped where it is read). Raises ModelError with one line that names what is
    wrong: unreadable or empty, no opset, a value used but never made, made twice or made of itself, two nodes of one
    name, external data missing or outside the model's folder, a weight that is sparse, has not the data that it claims,
    or holds NaN. An onnx_ir model is searched for NaN and for values that are read but not made before.
    """
    if isinstance(source, ir.Model):
        for graph in (source.graph, *(function.graph for function in source.functions.values())):
            _check_reads(graph, set())
        model = source.clone()
        _check_weights(model, "the model")
        return model
    if isinstance(source, ModelProto):
        proto, name, folder = source, "the model", None
    elif not isinstance(source, str | PathLike):
        kind = type(source).__name__
        raise ModelError(f"no model in a {kind} (no path, ModelProto or onnx_ir.Model); give one of them")
    else:
        path = Path(source)
        proto, name, folder = _read(path), str(source), path.resolve().parent
    _check(proto, name, folder)
    try:
        model = ir.from_proto(proto)
    except ir.serde.SerdeError as error:
        raise ModelError(f"no valid graph in {name} ({_innermost(error)}); export the model again") from error
    _sort(model, name)
    if folder is not None:
        for graph in (model.graph, *(function.graph for function in model.functions.values())):
            ir.external_data.set_base_dir(graph, folder)
    _check_weights(model, name)
    unpack_weights(model)
    return model


def _sort(model: ir.Model, name: str) -> None:
    """The runtime takes nodes in any order, all that follows wants makers before readers."""
    try:
        for graph in (model.graph, *(function.graph for function in model.functions.values())):
            graph.sort()
    except ValueError as error:
        raise ModelError(f"cycle in {name} (a value is made of itself); export the model again") from error


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


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check(proto: ModelProto, name: str, folder: Path | None) -> None:
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise ModelError(f"no graph in {name} (empty file, or another kind of file); export the model again")
    if not any(entry.domain in ("", "ai.onnx") for entry in proto.opset_import):
        raise ModelError(
            f"no opset_import for the standard domain in {name} (its operators have no version); export the model again"
        )
    if not proto.graph.node:
        raise ModelError(f"empty graph in {name} (it has no nodes)")
    if not proto.graph.output:
        raise ModelError(f"no outputs in {name} (nothing would be computed)")
    for graph in _graphs(proto.graph):
        if graph.sparse_initializer:
            weight = graph.sparse_initializer[0].values.name
            raise ModelError(f"sparse initializer {weight!r} in {name} (not supported); export it dense")
    _check_types(proto.graph, name)
    _check_values(proto.graph, set(), name)
    _check_node_names(proto.graph, name)
    check_tensors(proto, name, folder)


def _check_types(graph: GraphProto, name: str) -> None:
    """Maps have no form in which a graph of them could be worked on."""
    for kind, values in (("input", graph.input), ("output", graph.output), ("value", graph.value_info)):
        for value in values:
            inner = value.type
            while (holder := inner.WhichOneof("value")) in ("sequence_type", "optional_type"):
                inner = getattr(inner, holder).elem_type
            if holder == "map_type":
                raise ModelError(
                    f"unusable {kind} {value.name!r} of {name} (a map, not a tensor); export the model with tensors"
                )


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for body in body_protos(node):
            yield from _graphs(body)


def _check_values(graph: GraphProto, outer: set[str], name: str) -> None:
    """Every value is made once and before something reads it does not matter: only that somebody makes it."""
    made: set[str] = set()
    initialized: set[str] = set()
    for tensor in graph.initializer:
        if tensor.name in initialized:
            raise ModelError(f"duplicate initializer {tensor.name!r} in {name} (two weights); export the model again")
        initialized.add(tensor.name)
    inputs = [v.name for v in graph.input]
    outputs = [o for node in graph.node for o in node.output if o]
    for value in [*inputs, *sorted(initialized - set(inputs)), *outputs]:
        if value in made:
            raise ModelError(f"duplicate value {value!r} in {name} (made twice); export the model again")
        made.add(value)
    visible = made | outer
    for node in graph.node:
        missing = next((i for i in node.input if i and i not in visible), None)
        if missing is not None:
            raise ModelError(f"dangling value {missing!r} in {name} (read by node {node.name!r}, made by nobody)")
        for body in body_protos(node):
            _check_values(body, visible, name)
    missing = next((o.name for o in graph.output if o.name not in visible), None)
    if missing is not None:
        raise ModelError(f"dangling output {missing!r} in {name} (made by nobody)")


def _check_reads(graph: ir.Graph, outer: set[ir.Value]) -> None:
    """In memory values are objects; a model that reads one which is not made before cannot even be cloned."""
    made = outer | {*graph.inputs, *graph.initializers.values()}
    for node in graph:
        missing = next((value for value in node.inputs if value is not None and value not in made), None)
        if missing is not None:
            raise ModelError(_unmade(missing, node, graph))
        for body in bodies(node):
            _check_reads(body, made)
        made |= {*node.outputs}
    missing = next((value for value in graph.outputs if value not in made), None)
    if missing is not None:
        raise ModelError(f"dangling output {missing.name!r} in the model (made by nobody)")


def _unmade(value: ir.Value, reader: ir.Node, graph: ir.Graph) -> str:
    maker = value.producer()
    if maker is not None and maker.graph is graph:
        return (
            f"unsorted graph in the model (node {reader.name!r} reads {value.name!r} before it is made); "
            "sort it with graph.sort()"
        )
    return f"dangling value {value.name!r} in the model (read by node {reader.name!r}, made by nobody)"


def _check_node_names(graph: GraphProto, name: str) -> None:
    """Nodes without a name are many, a name that two nodes of one graph have is refused by the runtime."""
    for part in _graphs(graph):
        twice = next((n for n, count in Counter(node.name for node in part.node).items() if n and count > 1), None)
        if twice is not None:
            raise ModelError(f"duplicate node name {twice!r} in {name} (two nodes); export the model again")


def _check_weights(model: ir.Model, name: str) -> None:
    """A NaN in a weight would poison every scale. Infinity may stand in a mask, which no scale is made of."""
    functions = model.functions.values()
    for graph in graphs(model):
        for value in graph.initializers.values():
            _check_no_nan(value.const_value, f"weight {value.name!r} of {name}")
    for node in (*model.graph.all_nodes(), *(node for function in functions for node in function.all_nodes())):
        if is_op(node, "Constant") and node.outputs:
            which = f"constant {node.outputs[0].name!r} of {name}"
            try:
                tensor = ir.convenience.get_const_tensor(node.outputs[0])
            except (TypeError, ValueError) as error:
                raise ModelError(f"no usable value in {which} ({error}); export the model again") from error
            _check_no_nan(tensor, which)


_FLOATS = {ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16}
_CHUNK = 1 << 22


def _check_no_nan(tensor: ir.TensorProtocol | None, which: str) -> None:
    """In pieces, so that a memory-mapped weight of any size costs little memory."""
    if tensor is None or tensor.dtype not in _FLOATS:
        return
    flat = tensor.numpy().reshape(-1)
    if any(np.isnan(flat[i : i + _CHUNK]).any() for i in range(0, flat.size, _CHUNK)):
        raise ModelError(f"NaN in {which}; train or export the model again")
