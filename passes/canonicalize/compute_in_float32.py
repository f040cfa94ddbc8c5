"""One float type inside: the one that integers are made from, and that every kernel of the runtime takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, bodies, constant, graphs, is_op, nodes
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason

_HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
_OTHERS = (*_HALVES, ir.DataType.DOUBLE)

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
    In bodies too, and in the parts of a float32 model that lie between Casts. The lowest and the highest double, which
    stand for no limit, become the lowest and the highest float32.

    Doubles that are computed from sizes alone (Shape, Size) stay, as float32 could round them to another whole number.
    The model stays as it is where a constant overflows float32, where a sequence or optional holds such floats, or
    where an operator of an unknown domain takes or gives them.
    Preserves: outputs up to the rounding of the other type; no plan is needed.
    """

    name = "compute-in-float32"
    preserves = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Convert; the changes are the constants, nodes and inputs that became float32."""
        if not _has_other_floats(model):
            return PassResult()
        InferShapes().run(model, context)
        obstacle = _obstacle(model)
        if obstacle is not None:
            where, why = obstacle
            return PassResult(0, ((where, Reason(Code.RULE_DECLINED, why)),))
        return PassResult(_Conversion(model).run())


def _is_other(value: ir.Value | None) -> bool:
    return value is not None and value.dtype in _OTHERS


def _has_other_floats(model: ir.Model) -> bool:
    """Whether any enter, or are made inside: in a float32 model this is all that the pass does."""
    entering = (value for graph in graphs(model) for value in graph.inputs)
    made = (attribute(node, name) in _OTHERS for node in nodes(model) for name in _TYPE_ATTRIBUTES)
    return any(map(_is_other, entering)) or any(made) or any(t.dtype in _OTHERS for _, t in _constants(model))


def _constants(model: ir.Model) -> Iterator[tuple[str | None, ir.TensorProtocol]]:
    """(name, tensor) of initializers and of those that nodes hold."""
    for graph in graphs(model):
        for value in graph.initializers.values():
            if value.const_value is not None:
                yield value.name, value.const_value
    for node in nodes(model):
        if (tensor := _held(node)) is not None:
            yield node.outputs[0].name, tensor


def _held(node: ir.Node) -> ir.TensorProtocol | None:
    """The `value` of a ConstantOfShape, or of a Constant that is an output itself."""
    held = node.attributes.get("value") if is_op(node, "Constant", "ConstantOfShape") else None
    return None if held is None else held.as_tensor()


def _obstacle(model: ir.Model) -> tuple[str, str] | None:
    """(node name, reason) of the first thing that cannot become float32."""
    for name, tensor in _constants(model):
        if tensor.dtype == ir.DataType.DOUBLE and (np.isfinite(tensor.numpy()) & np.isinf(_as_float32(tensor))).any():
            return "", f"constant {name!r} holds numbers beyond float32"
    for value in model.graph.inputs:
        if _is_other(value) and not isinstance(value.type, ir.TensorType):
            return "", f"{value.name!r} is no tensor ({value.type})"
    for node in nodes(model):
        touched = [value for value in (*node.inputs, *node.outputs) if value is not None and _is_other(value)]
        if touched and (node.domain not in ("", CONTRIB) or is_op(node, "BitCast")):
            return node.name or "", f"{node.op_type} may mean something else with float32"
        if any(not isinstance(value.type, ir.TensorType) for value in touched):
            return node.name or "", f"{node.op_type} takes or gives {touched[0].type}, which is no tensor"
    return None


def _as_float32(tensor: ir.TensorProtocol) -> np.ndarray:
    """The numbers in float32, infinite where they are too large."""
    array = tensor.numpy()
    if tensor.dtype in _HALVES:
        return array.astype(np.float32)
    limits = np.abs(array) == np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        return np.where(limits, np.copysign(np.finfo(np.float32).max, array), array).astype(np.float32)


def _from_sizes(model: ir.Model) -> set[ir.Node]:
    """Nodes whose results depend on the sizes of values alone, and that have nothing to do with 16-bit floats."""
    found: set[ir.Node] = set()
    for node in nodes(model):
        if is_op(node, "Shape", "Size"):
            found.add(node)
            continue
        read = [value for value in node.inputs if value is not None and constant(value) is None]
        floats = [v for v in (*node.inputs, *node.outputs) if v is not None and v.dtype in _HALVES]
        leaves_body = node.graph is not model.graph and any(v.is_graph_output() and _is_other(v) for v in node.outputs)
        if read and all(value.producer() in found for value in read) and not (floats or leaves_body):
            found.update([] if any(bodies(node)) else [node])
    return found


def _last_casts(model: ir.Model) -> set[ir.Node]:
    """Nodes that give an output its type and do no more."""
    made = {value.producer() for value in model.graph.outputs if not value.uses()}
    return {node for node in made if node is not None and is_op(node, "Cast")}


class _Conversion:
    """The work on one model in which nothing stands in the way."""

    def __init__(self, model: ir.Model) -> None:
        self.model, self.names = model, Names(model)
        self.kept = _from_sizes(model) | _last_casts(model)
        self.narrowed: dict[ir.Value, ir.Value] = {}

    def run(self) -> int:
        graph = self.model.graph
        outputs = {value: value.dtype for value in graph.outputs if value.dtype in _OTHERS}
        inputs = {value: _readers(value) for value in graph.inputs if _is_other(value) and _readers(value)}
        work = [node for node in nodes(self.model) if node not in self.kept]
        changes = sum([self._convert_constant(value) for value in self._initializers()])
        changes += sum([self._convert_node(node) for node in work])
        for value, readers in inputs.items():
            self._cast_input(value, readers)
        for value, dtype in outputs.items():
            if dtype is not None and value.producer() is not None and value.producer() not in self.kept:
                self._cast_output(value, dtype)
        return changes + len(inputs)

    def _initializers(self) -> list[ir.Value]:
        return [v for graph in graphs(self.model) for v in graph.initializers.values() if _is_other(v)]

    def _convert_constant(self, value: ir.Value) -> bool:
        """Convert it, or a copy of it for those that compute in float32."""
        assert value.const_value is not None
        array = _as_float32(value.const_value)
        readers = [(node, index) for node, index in value.uses() if node not in self.kept]
        if len(readers) == len(value.uses()) and value not in self.model.graph.outputs:
            value.const_value = ir.tensor(array, name=value.name)
            value.type = _float32()
        elif readers:
            assert isinstance(value.graph, ir.Graph)
            _redirect(readers, self.names.initializer(value.graph, f"{value.name}_float32", array))
        return bool(readers)

    def _convert_node(self, node: ir.Node) -> bool:
        """Let one node take and give float32, and its bodies take it."""
        bodies_inputs = [value for body in bodies(node) for value in body.inputs]
        changed = [value for value in (*node.outputs, *bodies_inputs) if _is_other(value)]
        for value in changed:
            value.type = _float32()
        for name in _TYPE_ATTRIBUTES:
            if attribute(node, name) in _OTHERS:
                node.attributes[name] = ir.AttrInt64(name, ir.DataType.FLOAT)
        tensor = _held(node)
        if tensor is not None and tensor.dtype in _OTHERS:
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(_as_float32(tensor)))
        if not is_op(node, "Cast"):
            for index, read in enumerate(node.inputs):
                if read is not None and read.producer() in self.kept and _is_other(read):
                    node.replace_input_with(index, self._narrow(read))
        return bool(changed)

    def _narrow(self, value: ir.Value) -> ir.Value:
        """A double that stays, as float32 for those that do not."""
        if value not in self.narrowed:
            producer = value.producer()
            assert producer is not None
            assert producer.graph is not None
            cast = self._cast(value, f"{value.name}_float32", ir.DataType.FLOAT)
            producer.graph.insert_after(producer, cast)
            self.narrowed[value] = cast.outputs[0]
        return self.narrowed[value]

    def _cast_input(self, value: ir.Value, readers: _Readers) -> None:
        graph = self.model.graph
        cast = self._cast(value, f"{value.name}_float32", ir.DataType.FLOAT)
        graph.insert_before(graph[0], cast)
        _redirect(readers, cast.outputs[0])

    def _cast_output(self, value: ir.Value, dtype: ir.DataType) -> None:
        """Let a Cast take over the output with its name."""
        graph = self.model.graph
        name, value.name = value.name or "", self.names.value(f"{value.name}_float32")
        cast = self._cast(value, "", dtype)
        cast.outputs[0].name = name
        graph.append(cast)
        for place, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[place] = cast.outputs[0]

    def _cast(self, value: ir.Value, wish: str, dtype: ir.DataType) -> ir.Node:
        """A new Cast, which is in no graph yet."""
        cast = ir.node("Cast", [value], {"to": dtype}, name=self.names.node(f"{value.name}_cast"))
        made = cast.outputs[0]
        made.name, made.type, made.shape = wish and self.names.value(wish), ir.TensorType(dtype), value.shape
        return cast


def _float32() -> ir.TensorType:
    """A type of its own: setting the `dtype` of a value would change that of the models it was cloned from."""
    return ir.TensorType(ir.DataType.FLOAT)


_Readers = list[tuple[ir.Node, int]]


def _readers(value: ir.Value) -> _Readers:
    """What reads an input and needs it in float32: all but Casts."""
    return [(node, index) for node, index in value.uses() if not is_op(node, "Cast")]


def _redirect(readers: _Readers, value: ir.Value) -> None:
    for node, index in readers:
        node.replace_input_with(index, value)
