"""One float type inside: what the integers are made from, and what every kernel of the runtime takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, graphs, is_op, nodes
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.passes.canonicalize.whole_numbers import whole_number_doubles
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason

OTHER_FLOATS = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)

_TYPE_ATTRIBUTES = ("to", "dtype", "output_datatype", "output_dtype", "stash_type", "softmax_precision")
"""Attributes that hold the number of a type: of Cast, RandomNormal, HannWindow, DequantizeLinear, Attention, ..."""


@dataclass(frozen=True)
class ComputeInFloat32(Pass):
    """Compute in float32 what a model computes in float16, bfloat16 or double; inputs and outputs keep their types.

    ```
    g (float16[N] x) => (float16[N] y)      g (float16[N] x) => (float16[N] y)
      <float16[N] w> {                        <float[N] w> {
                                                x_float32 = Cast <to = 1> (x)
      y = Mul(x, w)                     ->      y_float32 = Mul(x_float32, w)
    }                                           y = Cast <to = 10> (y_float32)
                                            }
    ```
    In bodies too, and in the parts of a float32 model that lie between Casts. The lowest and the highest number of
    double, which stand for no limit, become those of float32.

    Doubles that are computed from whole numbers alone (sizes, positions) stay: float32 could round them to another
    whole number. The model stays as it is where a weight overflows float32, where a sequence or optional holds
    such floats, or where an operator of an unknown domain might read them.
    Preserves: outputs up to the rounding of the narrower type.
    """

    name = "compute-in-float32"
    preserves = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Convert; the changes are the values that became float32."""
        if not _has_other_floats(model):
            return PassResult()
        InferShapes().run(model, context)
        if (obstacle := _obstacle(model)) is not None:
            where, why = obstacle
            return PassResult(0, ((where, Reason(Code.RULE_DECLINED, why)),))
        return PassResult(_Conversion(model).run())


def _has_other_floats(model: ir.Model) -> bool:
    """Whether there may be any: cheap to say no for a model that is float32 already."""
    of_graphs = (v for graph in graphs(model) for v in (*graph.inputs, *graph.initializers.values()))
    made = (attribute(node, name) for node in nodes(model) for name in _TYPE_ATTRIBUTES)
    held = (node.attributes["value"] for node in nodes(model) if is_op(node, "Constant", "ConstantOfShape") and "value" in node.attributes)
    return (
        any(_is_other(value) for value in of_graphs)
        or any(number in OTHER_FLOATS for number in made)
        or any(tensor.as_tensor().dtype in OTHER_FLOATS for tensor in held)
    )


def _is_other(value: ir.Value | None) -> bool:
    return value is not None and value.type is not None and value.dtype in OTHER_FLOATS


def _obstacle(model: ir.Model) -> tuple[str, str] | None:
    """(node name, reason) of the first thing that cannot become float32."""
    for graph in graphs(model):
        made = (value for node in graph for value in node.outputs)
        for value in (*graph.inputs, *graph.outputs, *made):
            if _is_other(value) and not isinstance(value.type, ir.TensorType):
                return "", f"{value.name!r} is no tensor ({value.type})"
        for value in graph.initializers.values():
            if _is_other(value) and value.const_value is not None and _as_float32(value.const_value) is None:
                return "", f"weight {value.name!r} holds numbers beyond float32"
    for node in nodes(model):
        if node.domain not in ("", CONTRIB) and any(map(_is_other, (*node.inputs, *node.outputs))):
            return node.name or "", f"{node.domain}:{node.op_type} may not take float32"
    return None


def _as_float32(tensor: ir.TensorProtocol) -> np.ndarray | None:
    """The numbers in float32; None where a finite one would become infinite."""
    array = tensor.numpy()
    if tensor.dtype != ir.DataType.DOUBLE:
        return array.astype(np.float32)
    largest = np.finfo(np.float32).max
    limits = np.abs(array) == np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        narrow = np.where(limits, np.copysign(largest, array), array).astype(np.float32)
    return narrow if np.array_equal(np.isfinite(narrow), np.isfinite(array)) else None


class _Conversion:
    """The work on one model, in which nothing stands in the way."""

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.names = Names(model)
        self.kept = whole_number_doubles(model)
        self.changes = 0

    def run(self) -> int:
        for graph in list(graphs(self.model)):
            for value in list(graph.initializers.values()):
                if _is_other(value):
                    self._convert_initializer(graph, value)
        for node in list(nodes(self.model)):
            if not self._keeps(node):
                self._convert_node(node)
        for graph in list(graphs(self.model)):
            if graph is self.model.graph:
                self._cast_inputs(graph)
                self._cast_outputs(graph)
            else:
                for value in graph.inputs:
                    self._retype(value)
        return self.changes

    def _keeps(self, node: ir.Node | None) -> bool:
        """Whether the node computes with doubles that stay."""
        return node is not None and any(value in self.kept for value in node.outputs)

    def _convert_initializer(self, graph: ir.Graph, value: ir.Value) -> None:
        """Convert in place, or for those readers alone that compute in float32."""
        assert value.const_value is not None
        array = _as_float32(value.const_value)
        assert array is not None
        readers = [(node, index) for node, index in value.uses() if not self._reads_doubles(node)]
        is_output = graph is self.model.graph and value.is_graph_output()
        if len(readers) == len(list(value.uses())) and not is_output:
            value.const_value = ir.tensor(array, name=value.name)
            self._retype(value)
        elif readers:
            self._redirect(readers, self.names.initializer(graph, f"{value.name}_float32", array))

    def _reads_doubles(self, node: ir.Node) -> bool:
        """Whether all that the node computes with stays, its results being doubles, or whole numbers again."""
        floats = [value for value in node.inputs if _is_other(value) and not _is_constant(value)]
        return self._keeps(node) or (bool(floats) and all(value in self.kept for value in floats))

    def _convert_node(self, node: ir.Node) -> None:
        for name in _TYPE_ATTRIBUTES:
            if attribute(node, name) in OTHER_FLOATS and not _gives_output(node):
                node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.FLOAT))
        ...
