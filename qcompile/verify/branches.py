"""The Ifs of a gated model: one branch quantizes, the other does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names
from qcompile.quant import QuantParams

FLOAT = ir.TensorType(ir.DataType.FLOAT)


@dataclass(frozen=True)
class Branches:
    """Writes them into the graphs of a model; which branch runs is an element of `switches`, given by its index."""

    main: ir.Graph
    """Holds the constants, which all bodies see."""
    switches: ir.Value
    names: Names

    def fixed(self, value: ir.Value, graph: ir.Graph, params: QuantParams, segments: int, index: int) -> ir.Value:
        """The value, or what is left of it after quantization with these parameters; new, behind the value's maker."""
        if segments > 1:
            written = self._rounded(value, params, segments)
        else:
            parameters = self._parameters(value.name or "", params)
            quantize = self._node("QuantizeLinear", [value, *parameters])
            written = [quantize, self._node("DequantizeLinear", [quantize.outputs[0], *parameters])]
        return self._activation(value, graph, written, index)

    def dynamic(self, value: ir.Value, graph: ir.Graph, index: int) -> ir.Value:
        """The same with parameters from the value's own range."""
        quantize = self._node("DynamicQuantizeLinear", [value], count=3)
        written = [quantize, self._node("DequantizeLinear", quantize.outputs)]
        return self._activation(value, graph, written, index)

    def constants(self, node: ir.Node, others: Mapping[int, np.ndarray], index: int) -> list[ir.Value]:
        """What a node gives that somebody reads, with other constants by index of the input, or as it is."""
        inputs: list[ir.Value | None] = [*node.inputs, *[None] * (max(others) + 1 - len(node.inputs))]
        for i, array in others.items():
            inputs[i] = self._constant(f"{node.name}_{i}_other", array)
        changed, plain = self._copy(node, inputs), self._copy(node, node.inputs)
        used = [i for i, value in enumerate(node.outputs) if value.uses() or value.is_graph_output()]
        on = self._branch([changed], [changed.outputs[i] for i in used])
        off = self._branch([plain], [plain.outputs[i] for i in used])
        assert isinstance(node.graph, ir.Graph)
        results = self._choice(node.graph, node, on, off, [node.outputs[i].name or "" for i in used], index)
        choice = results[0].producer()
        assert choice is not None
        choice.name = node.name  # it stands for the node, which goes
        return results

    def _activation(self, value: ir.Value, graph: ir.Graph, written: list[ir.Node], index: int) -> ir.Value:
        copy = self._node("Identity", [value])
        on = self._branch(written, written[-1].outputs)
        off = self._branch([copy], copy.outputs)
        (made,) = self._choice(graph, value.producer(), on, off, [value.name or ""], index)
        return made

    def _choice(
        self, graph: ir.Graph, behind: ir.Node | None, on: ir.Graph, off: ir.Graph, names: Sequence[str], index: int
    ) -> list[ir.Value]:
        """An If in the graph, behind a node or in front of all."""
        position = self._constant(f"{self.switches.name}_{index}", np.asarray(index, np.int64))
        switch = self._node("Gather", [self.switches, position])
        switch.outputs[0].type = ir.TensorType(ir.DataType.BOOL)
        choice = self._node("If", switch.outputs, {"then_branch": on, "else_branch": off}, len(names))
        for value, name in zip(choice.outputs, names, strict=True):
            value.name, value.type = self.names.value(f"{name}_gated"), FLOAT
        if behind is None:
            graph.insert_before(graph[0], [switch, choice])
        else:
            graph.insert_after(behind, [switch, choice])
        return list(choice.outputs)

    def _rounded(self, value: ir.Value, params: QuantParams, segments: int) -> list[ir.Node]:
        """Rounding to steps of the scale over the number of segments, cut off where 8 bits of the scale end."""
        low, high = params.real_range
        step = self._constant(f"{value.name}_step", np.asarray(params.scale / np.float32(segments), np.float32))
        ends = [self._constant(f"{value.name}_end", np.asarray(end, np.float32)) for end in (low, high)]
        clip = self._node("Clip", [value, *ends])
        divide = self._node("Div", [clip.outputs[0], step])
        whole = self._node("Round", divide.outputs)
        return [clip, divide, whole, self._node("Mul", [whole.outputs[0], step])]

    def _parameters(self, name: str, params: QuantParams) -> list[ir.Value]:
        return [
            self._constant(f"{name}_scale", params.scale),
            self._constant(f"{name}_zero_point", params.zero_point),
        ]

    def _constant(self, name: str, array: np.ndarray) -> ir.Value:
        return self.names.initializer(self.main, name, np.asarray(array))

    def _node(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: dict[str, Any] | None = None, count: int = 1
    ) -> ir.Node:
        node = ir.node(op_type, inputs, attributes or {}, num_outputs=count, name=self.names.node(f"gate_{op_type}"))
        for value in node.outputs:
            value.name = self.names.value(f"{node.name}_output")
        return node

    def _copy(self, node: ir.Node, inputs: Sequence[ir.Value | None]) -> ir.Node:
        """The same operator on other inputs; outputs that the node leaves out stay left out."""
        outputs = [ir.Value(name=self.names.value(f"{v.name}_branch") if v.name else "") for v in node.outputs]
        name = self.names.node(f"{node.name}_branch")
        return ir.Node(node.domain, node.op_type, inputs, node.attributes.values(), outputs=outputs, name=name)

    def _branch(self, written: Sequence[ir.Node], outputs: Sequence[ir.Value]) -> ir.Graph:
        for value in outputs:
            value.type = FLOAT
        return ir.Graph([], outputs, nodes=written, name=self.names.node("branch"))
