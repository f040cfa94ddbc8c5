"""One model in which every quantization of a plan can be switched on and off at run time.

Every quantized activation passes an If that quantizes it or hands it on, and every node with quantized weights becomes
an If that computes with them or with the float ones. What is off costs a copy at most, and with all off the model is
the float one. The runtime fuses no integers across an If, so what is on is QDQ run in float.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, graphs, is_op, remove_dead, replace_value
from qcompile.plan import Form, Plan
from qcompile.quant import QuantParams, quantize_bias, rounded_codes
from qcompile.targets import Role, Target
from qcompile.verify.branches import Branches

GATES = "qcompile_gates"
"""What the input that the gates read is called, unless the model has that name: bool, one element a gate."""


@dataclass(frozen=True)
class Gate:
    """A quantization that can be switched: that of an activation for its readers, or of the weights of one node."""

    value: str
    """Name of the activation, or of the node's first weight."""
    node: str
    """Name of the node that makes the activation (empty: an input of the model), or reads the weights."""
    of_weights: bool = False


@dataclass(frozen=True)
class GatedModel:
    """A model with one more input."""

    model: ir.Model
    switches: str
    """Name of that input."""
    gates: tuple[Gate, ...]
    """In the order of that input's elements, which is graph order, bodies last."""


def gated_model(canonical: ir.Model, plan: Plan, target: Target) -> GatedModel:
    """The canonical float model with a gate for every quantization of the plan, its roundings, shifts and segments.

    Where the plan has migrations, the model has to be the one in which they are carried out: they are no errors.
    Values that are only moved after they were quantized share the gate of where they come from, biases that of the
    weights of their node.
    """
    model = canonical.clone()
    builder = _Builder(model, plan, target)
    for graph, nodes in [(graph, list(graph)) for graph in graphs(model)]:  # before anything is put between them
        for value in graph.inputs:
            builder.gate_activation(value, graph)
        for node in nodes:
            for value in node.outputs:
                builder.gate_activation(value, graph)
            builder.gate_weights(node)
    return builder.finish()


@dataclass
class _Builder:
    model: ir.Model
    plan: Plan
    target: Target
    gates: list[Gate] = field(default_factory=list)
    on_grid: dict[ir.Value, QuantParams] = field(default_factory=dict)
    """What is quantized wherever its gates are open."""

    def __post_init__(self) -> None:
        names = Names(self.model)
        self.switches = ir.Value(name=names.value(GATES), type=ir.TensorType(ir.DataType.BOOL))
        self.branches = Branches(self.model.graph, self.switches, names)

    def gate_activation(self, value: ir.Value, graph: ir.Graph) -> None:
        """Gate what the plan quantizes for integer readers, or for all where codes are made; and dynamic readers."""
        maker = value.producer()
        gate = Gate(value.name or "", (maker.name or "") if maker is not None else "")
        uses = [(use.node, use.idx) for use in value.uses()]
        dynamic = [(node, i) for node, i in uses if i == 0 and self._is_dynamic(node)]
        if dynamic:
            made = self.branches.dynamic(value, graph, len(self.gates))
            self._read(gate, dynamic, made)
        params = self.plan.values.get(value.name or "")
        if params is None:
            return
        makes_codes = maker is not None and self.plan.makes_codes(maker.name)
        readers = [(node, i) for node, i in uses if makes_codes or self.plan.reads_codes(node.name)]
        if self._comes_quantized(maker, params):
            self.on_grid[value] = params
        elif readers or (makes_codes and value.is_graph_output()):
            made = self.branches.fixed(value, graph, params, self._segments(maker), len(self.gates))
            self.on_grid[made] = params
            self._read(gate, readers, made)
            if makes_codes and value.is_graph_output():
                _hand_over_output(graph, value, made)

    def gate_weights(self, node: ir.Node) -> None:
        """Gate the constants of a node that have parameters, its bias shift with them."""
        indexes = [i for i in range(len(node.inputs)) if (node.name or "", i) in self.plan.weights]
        indexes = [i for i in indexes if constant(node.inputs[i]) is not None]
        used = [value for value in node.outputs if value.uses() or value.is_graph_output()]
        if not indexes or not used:
            return
        weight, graph = node.inputs[indexes[0]], node.graph
        assert weight is not None and isinstance(graph, ir.Graph)
        # floats, not codes: between DequantizeLinear and a product the runtime would put kernels of its own
        constants = {i: self._rounded(node, i) for i in indexes} | self._bias(node)
        results = self.branches.constants(node, constants, len(self.gates))
        self.gates.append(Gate(weight.name or "", node.name or "", of_weights=True))
        for old, new in zip(used, results, strict=True):
            replace_value(old, new)
        graph.remove(node, safe=True)

    def _rounded(self, node: ir.Node, index: int) -> np.ndarray:
        """What is left of a weight in 8 bits."""
        key, weight = (node.name or "", index), constant(node.inputs[index])
        assert weight is not None
        params = self.plan.weights[key]
        return params.dequantize(rounded_codes(weight, params, self.plan.roundings.get(key)))

    def _bias(self, node: ir.Node) -> dict[int, np.ndarray]:
        """By its index the bias as the integer node adds it: shifted, on the grid of the sums; none if it stays."""
        entry, params = self.target.table.get(node.op_type), self.plan.weights.get((node.name or "", 1))
        if entry is None or entry.bias is None:
            return {}
        bias = constant(node.inputs[entry.bias]) if entry.bias < len(node.inputs) else None
        shift = self.plan.bias_shifts.get(node.name or "")
        if shift is not None:
            start = np.zeros(len(shift)) if bias is None else bias.astype(np.float64)
            bias = (start + np.asarray(shift)).astype(np.float32)
        x = self.on_grid.get(node.inputs[0]) if node.inputs[0] is not None else None
        if bias is not None and x is not None and params is not None and self.plan.reads_codes(node.name):
            codes = quantize_bias(bias.reshape(-1), float(x.scale), params.scale)
            bias = codes * np.asarray(x.scale * params.scale, np.float32)
        return {} if bias is None else {entry.bias: bias.astype(np.float32)}

    def finish(self) -> GatedModel:
        """Declare the switches."""
        self.switches.shape = ir.Shape([len(self.gates)])
        self.model.graph.inputs.append(self.switches)
        remove_dead(self.model)
        return GatedModel(self.model, self.switches.name or "", tuple(self.gates))

    def _read(self, gate: Gate, readers: list[tuple[ir.Node, int]], made: ir.Value) -> None:
        self.gates.append(gate)
        for node, index in readers:
            node.replace_input_with(index, made)

    def _is_dynamic(self, node: ir.Node) -> bool:
        decision = self.plan.nodes.get(node.name or "")
        return decision is not None and decision.form is Form.DYNAMIC

    def _comes_quantized(self, maker: ir.Node | None, params: QuantParams) -> bool:
        """Whether a value is but a copy of values on the same grid: it is exact then, or its error is theirs."""
        entry = self.target.table.get(maker.op_type) if maker is not None else None
        if maker is None or entry is None or entry.role not in (Role.MOVE, Role.JOIN):
            return False
        indexes = range(len(maker.inputs)) if entry.activations is None else entry.activations
        sources = [maker.inputs[i] for i in indexes if i < len(maker.inputs)]
        return all(value is not None and self.on_grid.get(value) == params for value in sources)

    def _segments(self, maker: ir.Node | None) -> int:
        """Into how many segments the range of the value is cut: by the maker, or before its clamp."""
        while maker is not None and is_op(maker, "Clip", "Relu") and maker.inputs[0] is not None:
            maker = maker.inputs[0].producer()
        return self.plan.segments.get((maker.name or "") if maker is not None else "", 1)


def _hand_over_output(graph: ir.Graph, value: ir.Value, made: ir.Value) -> None:
    """Let the graph give out what the gate made under the name of the value."""
    graph.outputs[list(graph.outputs).index(value)] = made
    name, value.name = value.name, made.name
    made.name, made.shape = name, value.shape
