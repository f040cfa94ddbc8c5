"""One opset for all passes: onnx's version converter behind a wall, and its result proven."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import version_converter

from qcompile.errors import ModelError
from qcompile.ir import MINIMUM_OPSET, declare, is_op, nodes, opset, to_proto
from qcompile.passes.canonicalize.interface import drop_negative_dimensions
from qcompile.passes.canonicalize.lift_constants import lift_constant_nodes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.pipeline import Context, Pass, PassResult, relative_error

TOLERANCE = 1e-4
"""Largest difference, relative to the output's largest value, that another form of the same arithmetic may cost."""

_SMALL = 1024
"""Bytes up to which a constant may be an argument (axes, shapes, scales) that the converter has to see."""


@dataclass(frozen=True)
class RaiseOpset(Pass):
    """Raise the model to the opset that the passes are written for.

    ```
    opset_import: ["" : 9]              =>  opset_import: ["" : 21]
    y = Unsqueeze <axes = [0]> (x)      =>  y = Unsqueeze (x, axes)
    ```
    Names, docs and metadata survive, also where the converter drops them; weights do not pass through it. A model
    that is already there, or higher, is left alone. Where the context has a feed, the outputs before and after are
    compared. An operator that cannot be converted, and an output that changes, are a ModelError that names it.
    Functions must have been inlined. Preserves: float-equal up to rounding.
    """

    name = "raise-opset"

    opset: int = MINIMUM_OPSET

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Convert and prove; the model gets a new graph."""
        before = opset(model)
        if before is None or before >= self.opset:
            return PassResult()
        _check_known(model, before)
        expected = _outputs(model, context)
        old = model.graph
        model.graph = _converted(model, self.opset)
        _put_back(old, model.graph)
        NameNodes().run(model, context)
        lift_constant_nodes(model)
        declare(model)
        if expected is not None:
            _check_equal(model, expected, _outputs(model, context) or ())
        return PassResult(self.opset - before)


def _check_known(model: ir.Model, version: int) -> None:
    for node in nodes(model):
        if node.domain == "" and not onnx.defs.has(node.op_type, max_inclusive_version=version):
            raise ModelError(f"unknown operator {node.op_type} in node {node.name!r} (not in ONNX opset {version})")


def _outputs(model: ir.Model, context: Context) -> Sequence[np.ndarray] | None:
    return context.run(model, context.feed) if context.run is not None and context.feed is not None else None


def _converted(model: ir.Model, version: int) -> ir.Graph:
    """A converted copy of the graph. Weights stay out of it meanwhile, as inputs: a proto holds 2 GiB at most."""
    light = model.clone()
    drop_negative_dimensions(light)
    for name, value in list(light.graph.initializers.items()):
        tensor = value.const_value
        assert tensor is not None
        if tensor.nbytes > _SMALL:
            del light.graph.initializers[name]
            value.const_value = None
            light.graph.inputs.append(value)
        elif isinstance(tensor, ir.ExternalTensor):  # the converter sees no other file
            value.const_value = ir.tensor(tensor.numpy(), dtype=tensor.dtype, name=name)
    try:
        graph = ir.from_proto(version_converter.convert_version(to_proto(light), version)).graph
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"cannot raise the model to opset {version} ({_culprit(error)}); export it again") from error
    while len(graph.inputs) > len(model.graph.inputs):
        weight = graph.inputs.pop()
        weight.const_value = model.graph.initializers[weight.name or ""].const_value
        graph.register_initializer(weight)
    return graph


def _culprit(error: Exception) -> str:
    """The operator that the converter's message is about, with the end of the message, which says what it wants."""
    text = " ".join(str(error).split())
    found = re.search(r"adapt_([a-z]\w*?)_\d+_\d+|No Adapter .* for (\w+)|op_type:(\w+)", text)
    operator = next(filter(None, found.groups()), "") if found else ""
    return f"operator {operator}: {text.rpartition(': ')[2][:200]}" if operator else text[-200:]


def _put_back(old: ir.Graph, new: ir.Graph) -> None:
    """Restore what the converter drops: metadata, docs, the interface's types, names of nodes that it replaced."""
    before = _Index(old)
    new.name, new.doc_string = old.name, old.doc_string
    for was, now in zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True):
        now.type, now.shape = was.type, was.shape
    _copy_metadata(old, new)
    after = _Index(new)
    for name in before.values.keys() & after.values.keys():
        was, now = before.values[name], after.values[name]
        now.doc_string = was.doc_string
        if now.shape is None:  # behind an operator of another domain only the model can tell
            now.type, now.shape = now.type or was.type, was.shape
        now.const_value = was.const_value if now.is_initializer() and was.is_initializer() else now.const_value
        _copy_metadata(was, now)
    for name in before.nodes.keys() & after.nodes.keys():
        replaced, node = before.nodes[name], after.nodes[name]
        node.name, node.doc_string = replaced.name, replaced.doc_string
        _copy_metadata(replaced, node)
        if is_op(replaced, "Upsample"):
            _mend_resize(node)


class _Index:
    """Values by name, nodes by the name of their first output; names are unique in the whole model."""

    def __init__(self, graph: ir.Graph) -> None:
        every = (graph, *graph.subgraphs())
        self.nodes = {node.outputs[0].name: node for g in every for node in g if node.outputs}
        self.values = {value.name: value for g in every for value in (*g.inputs, *g.initializers.values())}
        self.values |= {value.name: value for g in every for node in g for value in node.outputs if value.name}


def _copy_metadata(old: ir.Graph | ir.Node | ir.Value, new: ir.Graph | ir.Node | ir.Value) -> None:
    new.metadata_props.update(old.metadata_props)
    new.meta.update(old.meta)


def _mend_resize(node: ir.Node) -> None:
    """Upsample counted from the corner; the converter leaves Resize its default, which counts from pixel centres."""
    node.attributes["coordinate_transformation_mode"] = ir.AttrString("coordinate_transformation_mode", "asymmetric")
    node.attributes["nearest_mode"] = ir.AttrString("nearest_mode", "floor")


def _check_equal(model: ir.Model, before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> None:
    for value, old, new in zip(model.graph.outputs, before, after, strict=True):
        if relative_error(old, new) > TOLERANCE:
            raise ModelError(
                f"output {value.name!r} changed when the model was raised to opset {opset(model)} "
                "(an operator was converted wrongly); export the model with that opset"
            )
