"""A float network with random weights as it grows: its nodes and weights so far, and what they compute on samples.

Every node runs on the samples as soon as it is there. So shapes need not be worked out, and a BatchNormalization has
the statistics of what it normalises, as that of a trained network has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from qcompile.runtime import Session

OPSET = 17
IR_VERSION = 8

Feed = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A float model of batch 1, and samples of what it reads."""

    model: onnx.ModelProto
    sample: Callable[[np.random.Generator], Feed]

    def feeds(self, count: int, seed: int) -> list[Feed]:
        """So many samples; other seeds give other ones."""
        rng = np.random.default_rng(seed)
        return [self.sample(rng) for _ in range(count)]


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the graph, and what it is on the samples."""

    name: str
    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


ABSENT = Value("", np.empty(0))
"""In the place of an optional input."""


class Builder:
    """The graph so far, and the source of its random weights."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.inputs: list[Value] = []
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []

    def input(self, name: str, samples: np.ndarray) -> Value:
        """An input of the network, with samples of it along the first axis."""
        self.inputs.append(Value(name, samples))
        return self.inputs[-1]

    def constant(self, array: np.ndarray | float) -> Value:
        """An array as initializer; floats become float32."""
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return Value(name, array)

    def integers(self, *numbers: int) -> Value:
        """A shape, axes or the like."""
        return self.constant(np.array(numbers, np.int64))

    def normal(self, *shape: int, centre: float = 0.0, spread: float = 1.0) -> Value:
        """Normal numbers around a centre."""
        return self.constant(self.rng.normal(centre, spread, shape))

    def op(self, op_type: str, *inputs: Value, **attributes: Any) -> Value:
        """Add a node with one output."""
        return self.split(op_type, *inputs, outputs=1, **attributes)[0]

    def split(self, op_type: str, *inputs: Value, outputs: int, **attributes: Any) -> list[Value]:
        """Add a node with so many outputs."""
        name = f"{op_type}_{len(self.nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        node = helper.make_node(op_type, [value.name for value in inputs], names, name, **attributes)
        self.nodes.append(node)
        return [Value(*made) for made in zip(names, _computed(node, inputs), strict=True)]

    def model(self, name: str, **outputs: Value) -> onnx.ModelProto:
        """The finished model, its outputs named as the arguments are."""
        for output, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value.name], [output], output))
        made = [Value(output, value.array[:1]) for output, value in outputs.items()]
        one = [Value(value.name, value.array[:1]) for value in self.inputs]
        return _model(helper.make_graph(self.nodes, name, _declared(one), _declared(made), self.weights))


def _computed(node: onnx.NodeProto, inputs: Sequence[Value]) -> list[np.ndarray]:
    distinct = list({value.name: value for value in inputs if value is not ABSENT}.values())
    outputs = [helper.make_empty_tensor_value_info(output) for output in node.output]
    model = _model(helper.make_graph([node], "node", _declared(distinct), outputs))
    return Session(ir.from_proto(model)).run({value.name: value.array for value in distinct})


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _declared(values: Sequence[Value]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(value.name, helper.np_dtype_to_tensor_dtype(value.array.dtype), value.shape)
        for value in values
    ]
