"""What the model declares of its inputs and outputs, kept from libraries that complete or believe it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import onnx_ir as ir

from qcompile.ir import graphs


@contextlib.contextmanager
def kept_interface(model: ir.Model) -> Iterator[None]:
    """Inside, outputs have no declared shape and negative dimensions are unknown; afterwards all is as declared.

    Some exporters write -1 for a dimension that is not known; taken at its word, it would be folded into constants.
    """
    declared = [(value.type, value.shape) for value in _interface(model)]
    for value in model.graph.outputs:
        if value.producer() is not None:
            value.shape = None
    drop_negative_dimensions(model)
    try:
        yield
    finally:
        for value, (declared_type, shape) in zip(_interface(model), declared, strict=True):
            value.type, value.shape = declared_type, shape


def _interface(model: ir.Model) -> list[ir.Value]:
    return [*model.graph.inputs, *model.graph.outputs]


def drop_negative_dimensions(model: ir.Model) -> None:
    """Make every dimension that is declared negative an unknown one."""
    for graph in graphs(model):
        for value in (*graph.inputs, *graph.outputs, *(value for node in graph for value in node.outputs)):
            if value.shape is not None and any(isinstance(dim, int) and dim < 0 for dim in value.shape):
                value.shape = ir.Shape([None if isinstance(dim, int) and dim < 0 else dim for dim in value.shape])
