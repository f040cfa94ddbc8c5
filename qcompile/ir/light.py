"""A model without its large weights, for libraries that want a whole proto: it holds 2 GiB at most."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir.graphs import graphs

SMALLEST = 256
"""Bytes up to which a weight stays: it may be an argument, such as a shape."""


def without_weights(model: ir.Model) -> ir.Model:
    """A copy in which large weights, of bodies too, are inputs of the same name, type and shape; equally valid."""
    light = model.clone()
    for graph in graphs(light):
        for name, value in list(graph.initializers.items()):
            tensor = value.const_value
            if tensor is None or tensor.nbytes <= SMALLEST or value.is_graph_input():
                continue
            del graph.initializers[name]
            given = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy()))
            value.replace_all_uses_with(given, replace_graph_outputs=True)
            light.graph.inputs.append(given)
    return light
