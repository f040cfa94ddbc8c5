"""The plan becomes QuantizeLinear and DequantizeLinear: the model whose execution defines the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, constant, graphs
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Plan
from qcompile.quant import QuantParams


@dataclass(frozen=True)
class InsertQDQ(Pass):
    """Insert QuantizeLinear and DequantizeLinear around everything that the plan gives parameters.

    Before: `y = Conv(x, w, b)` with parameters for x, w and y in the plan
    After:  `xd = DQ(Q(x))  wd = DQ(Q(w))  t = Conv(xd, wd, b)  y = DQ(Q(t))`

    Each value gets one pair that all its integer readers share. Where an integer node makes the value, everybody
    reads the pair: no other form of it will exist. Constants get a pair for each reader. `remove-qdq` is the exact
    inverse. Needs a plan; values that it names and the model lacks are an error of the plan, found when it is loaded.
    """

    name: ClassVar[str] = "insert-qdq"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Insert the pairs in the main graph and in every body."""
        assert context.plan is not None
        inserter = _Inserter(model, context.plan)
        changes = 0
        for graph in list(graphs(model)):
            values = [*graph.inputs, *(v for node in graph for v in node.outputs)]
            changes += sum(inserter.quantize_value(graph, value) for value in values)
            for node in list(graph):
                changes += inserter.quantize_constants(graph, node)
        return PassResult(changes)


@dataclass
class _Inserter:
    model: ir.Model
    plan: Plan
    names: Names = field(init=False)
    shared: dict[tuple[ir.Graph, QuantParams], tuple[ir.Value, ir.Value]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = Names(self.model)

    def quantize_value(self, graph: ir.Graph, value: ir.Value) -> bool:
        params = self.plan.values.get(value.name or "")
        if params is None:
            return False
        producer = value.producer()
        for_all = producer is not None and self.plan.makes_codes(producer.name)
        uses = [(n, i) for n, i in value.uses() if for_all or self.plan.reads_codes(n.name)]
        if not uses and not (for_all and value.is_graph_output()):
            return False
        name = value.name or ""
        pair = self._pair(value, name, params, self._parameters(graph, params, name))
        if producer is None:
            graph.insert_before(graph[0], pair)
        else:
            graph.insert_after(producer, pair)
        dequantized = pair[1].outputs[0]
        for node, index in uses:
            node.replace_input_with(index, dequantized)
        if for_all and value.is_graph_output():
            _hand_over_output(graph, value, dequantized, self.names)
        return True

    def quantize_constants(self, graph: ir.Graph, node: ir.Node) -> int:
        changes = 0
        for index, value in enumerate(node.inputs):
            params = self.plan.weights.get((node.name or "", index))
            if params is None or value is None or constant(value) is None:
                continue
            name = f"{node.name}_{value.name}" if len(list(value.uses())) > 1 else value.name or ""
            pair = self._pair(value, name, params, self._parameters(graph, params, name))
            graph.insert_before(node, pair)
            node.replace_input_with(index, pair[1].outputs[0])
            changes += 1
        return changes

    def _parameters(self, graph: ir.Graph, params: QuantParams, name: str) -> tuple[ir.Value, ir.Value]:
        """Initializers of scale and zero point; values of a graph that share parameters share them."""
        if (graph, params) not in self.shared:
            scale = self.names.initializer(graph, f"{name}_scale", params.scale)
            zero_point = self.names.initializer(graph, f"{name}_zero_point", params.zero_point)
            self.shared[graph, params] = (scale, zero_point)
        return self.shared[graph, params]

    def _pair(
        self, value: ir.Value, name: str, params: QuantParams, parameters: tuple[ir.Value, ir.Value]
    ) -> list[ir.Node]:
        attributes = {} if params.axis is None else {"axis": params.axis}
        dtype = parameters[1].dtype
        quantize = ir.node(
            "QuantizeLinear",
            [value, *parameters],
            attributes,
            outputs=[self._value(f"{name}_quantized", value, dtype)],
            name=self.names.node(f"{name}_QuantizeLinear"),
        )
        dequantize = ir.node(
            "DequantizeLinear",
            [quantize.outputs[0], *parameters],
            attributes,
            outputs=[self._value(f"{name}_dequantized", value, ir.DataType.FLOAT)],
            name=self.names.node(f"{name}_DequantizeLinear"),
        )
        return [quantize, dequantize]

    def _value(self, name: str, like: ir.Value, dtype: ir.DataType | None) -> ir.Value:
        return ir.Value(name=self.names.value(name), type=ir.TensorType(dtype or ir.DataType.FLOAT), shape=like.shape)


def _hand_over_output(graph: ir.Graph, old: ir.Value, new: ir.Value, names: Names) -> None:
    """Let the graph give out `new` under the name of `old`."""
    name = old.name or ""
    new.type, new.shape = old.type, old.shape
    new.metadata_props.update(old.metadata_props)
    graph.outputs[list(graph.outputs).index(old)] = new
    old.name = names.value(f"{name}_float")
    new.name = name
