"""From a graph to a file: replaced whole or not touched."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir

from qcompile.errors import OutputError
from qcompile.ir.graphs import graphs
from qcompile.ir.light import without_weights
from qcompile.ir.opset import declare

INLINE_LIMIT = 2**31 - 2**20
"""Bytes of weights beyond which a protobuf cannot hold a model (2 GiB, less room for the graph itself)."""


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """The model as a proto: versions declared, no value_info, no leftovers of the libraries underneath."""
    declare(model)
    for graph in graphs(model):
        for node in graph:
            node.metadata_props.pop("pkg.onnxscript.rewriter.rule_name", None)
    proto = ir.to_proto(model)
    for graph_proto in graph_protos(proto.graph):
        del graph_proto.value_info[:]
        for tensor in graph_proto.initializer:  # onnx_ir doubles the entries at every round trip
            if not tensor.metadata_props:
                continue
            unique = {entry.key: entry.value for entry in tensor.metadata_props}
            del tensor.metadata_props[:]
            tensor.metadata_props.extend(onnx.StringStringEntryProto(key=k, value=v) for k, v in sorted(unique.items()))
    return proto


def graph_protos(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph, then every body in it, outer before inner."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from graph_protos(body)


def save_model(model: ir.Model, path: str | Path, *, external: bool = False) -> None:
    """Write the model to `path`; weights go to a file beside it where they must, or are `external`.

    They must where any of them is external data, or they exceed 2 GiB.

    The file appears whole or not at all; a link stays, and what it leads to is replaced. External data gets a name made
    from its content, so that an interrupted write never leaves the old model with new weights. Raises OutputError in
    one line.
    """
    path = Path(path)
    with _said(path):
        if external or _must_be_external(model):
            _save_with_data(model, Path(os.path.realpath(path)))
        else:
            write_bytes(path, to_proto(model).SerializeToString(deterministic=True))


def _must_be_external(model: ir.Model) -> bool:
    return weight_bytes(model) > INLINE_LIMIT or has_external_data(model)


def saved_size(model: ir.Model, *, external: bool = False) -> int:
    """Bytes that `save_model` would write; but for headers and padding where weights are external."""
    if external or _must_be_external(model):
        return int(to_proto(without_weights(model)).ByteSize()) + weight_bytes(model)
    return int(to_proto(model).ByteSize())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file by the content: written beside it, synced, renamed; a link stays, its file is replaced.

    Devices and pipes are written to as they are. Raises OutputError in one line.
    """
    with _said(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)


def _replace(path: Path, content: bytes) -> None:
    with _beside(path) as partial:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def _save_with_data(model: ir.Model, path: Path) -> None:
    declare(model)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        inside = Path(folder) / path.name
        data = Path(folder) / "weights"
        ir.save(model, inside, external_data=data.name)
        final = f"{path.name}.{_digest(data)}.data"
        proto = onnx.load_model(inside, load_external_data=False)
        for tensor in (t for graph in graph_protos(proto.graph) for t in graph.initializer):
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = final
        for graph_proto in graph_protos(proto.graph):
            del graph_proto.value_info[:]
        with _placed(data, path.parent / final):
            _replace(path, proto.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _placed(data: Path, final: Path) -> Iterator[None]:
    """Put the data in place for the graph that is written meanwhile; without that graph it goes again."""
    is_new = not final.exists()
    with data.open("r+b") as file:
        os.fsync(file.fileno())
    data.replace(final)
    try:
        yield
    except BaseException:
        if is_new:
            final.unlink(missing_ok=True)
        raise


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error}); name another place") from error


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A path in the same folder that is gone afterwards, whatever happens."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    partial = Path(name)
    partial.chmod(0o666 & ~_umask())
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def has_external_data(model: ir.Model) -> bool:
    """Whether any weight lies in another file."""
    return any(isinstance(v.const_value, ir.ExternalTensor) for g in graphs(model) for v in g.initializers.values())


def data_folder(model: ir.Model) -> Path | None:
    """The one folder that all external weights lie in, if there is one."""
    tensors = (value.const_value for graph in graphs(model) for value in graph.initializers.values())
    folders = {Path(tensor.base_dir).resolve() for tensor in tensors if isinstance(tensor, ir.ExternalTensor)}
    return folders.pop() if len(folders) == 1 else None


def weight_bytes(model: ir.Model) -> int:
    """Bytes of all initializers, external ones included."""
    values = (v for g in graphs(model) for v in g.initializers.values())
    return sum(v.const_value.nbytes for v in values if v.const_value is not None)
