"""The model at rest: load, save, names, versions, walks and edits over onnx_ir."""

from __future__ import annotations

from qcompile.ir.channel_order import EMPTY, as_first_laid_out, lay_out
from qcompile.ir.graphs import (
    attribute,
    bodies,
    constant,
    detach,
    graphs,
    is_op,
    nodes,
    owners,
    rank,
    remove_dead,
    replace_value,
    scalar_constant,
    sole_consumer,
    static_shape,
)
from qcompile.ir.light import without_weights
from qcompile.ir.load import Source, load_model
from qcompile.ir.names import Names
from qcompile.ir.opset import CONTRIB, MINIMUM_OPSET, declare, declared, lowest_runtime, opset
from qcompile.ir.quantized import quantized_form
from qcompile.ir.save import (
    data_folder,
    graph_protos,
    has_external_data,
    save_model,
    saved_size,
    to_proto,
    weight_bytes,
    write_bytes,
)
from qcompile.ir.tensors import unpack_weights

__all__ = [
    "CONTRIB",
    "EMPTY",
    "MINIMUM_OPSET",
    "Names",
    "Source",
    "as_first_laid_out",
    "attribute",
    "bodies",
    "constant",
    "data_folder",
    "declare",
    "declared",
    "detach",
    "graph_protos",
    "graphs",
    "has_external_data",
    "is_op",
    "lay_out",
    "load_model",
    "lowest_runtime",
    "nodes",
    "opset",
    "owners",
    "quantized_form",
    "rank",
    "remove_dead",
    "replace_value",
    "save_model",
    "saved_size",
    "scalar_constant",
    "sole_consumer",
    "static_shape",
    "to_proto",
    "unpack_weights",
    "weight_bytes",
    "without_weights",
    "write_bytes",
]
