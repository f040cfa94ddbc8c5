"""What the user gave: the model with the bytes that it was read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import Source, graphs, load_model, to_proto


@dataclass(frozen=True)
class OpenedSource:
    """A loaded model, its name for messages, and how to copy it byte for byte."""

    model: ir.Model
    name: str
    path: Path | None
    size: int

    def content(self) -> bytes:
        """The bytes of the source."""
        return self.path.read_bytes() if self.path else to_proto(self.model).SerializeToString(deterministic=True)


def open_source(source: Source) -> OpenedSource:
    """Load and check a model. Raises ModelError."""
    model = load_model(source)
    if isinstance(source, str | Path):
        path = Path(source)
        return OpenedSource(model, str(source), path, path.stat().st_size + _external_size(model))
    proto = source if isinstance(source, onnx.ModelProto) else to_proto(model)
    return OpenedSource(model, "the model", None, proto.ByteSize())


def check_one_interface(one: OpenedSource, other: OpenedSource) -> None:
    """Raises ModelError if the names of outputs differ, or of the inputs that have to be given."""
    left, right = one.model.graph, other.model.graph
    for what, a, b in (("inputs", _given(left), _given(right)), ("outputs", left.outputs, right.outputs)):
        if [v.name for v in a] != [v.name for v in b]:
            held = f"{one.name} ({_listed(a)}) and {other.name} ({_listed(b)})"
            raise ModelError(f"{what} differ between {held}; they are not forms of one model")


def _given(graph: ir.Graph) -> list[ir.Value]:
    """The inputs without a default: in IR version 3 every weight is an input as well."""
    return [value for value in graph.inputs if not value.is_initializer()]


def _listed(values: Sequence[ir.Value]) -> str:
    return ", ".join(repr(value.name) for value in values) or "none"


def _external_size(model: ir.Model) -> int:
    tensors = (value.const_value for graph in graphs(model) for value in graph.initializers.values())
    return sum(t.nbytes for t in tensors if isinstance(t, ir.ExternalTensor))
