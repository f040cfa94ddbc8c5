"""Random float models, valid and finite by construction, as a hypothesis strategy.

A model starts from one input and grows layer by layer from values that are there already, so that branches, residuals
and outputs in the middle come by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from benchmarks.graphs.builder import Builder, Tensor
from benchmarks.graphs.layers import BY_RANK

FEEDS = 8
MAX_LAYERS = 9
MAX_ELEMENTS = 2048
"""Of a sample of a value that another layer may grow from."""

INPUTS = ((3, 8, 8), (4, 7, 5), (1, 12, 12), (6, 16), (5, 1), (16,), (1,))


@dataclass(frozen=True)
class Sample:
    """A model with feeds for it."""

    model: onnx.ModelProto
    feeds: list[dict[str, np.ndarray]]


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Models of up to `MAX_LAYERS` layers, each with `FEEDS` normal feeds; of any batch size where that is open."""
    b = Builder(draw)
    x = Tensor(b.name(), b.choose(*INPUTS))
    values = [x]
    for _ in range(b.number(1, MAX_LAYERS)):
        values.append(_next(b, values))
    outputs = [values[-1]] + [value for value in values[1:-1] if b.number(0, 4) == 4]
    batch = b.choose(2, 1, "N")
    graph = helper.make_graph(
        b.nodes, "random", [_declared(x, batch)], [_declared(value, batch) for value in outputs], b.weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", b.opset)], ir_version=10)
    sizes = [batch if isinstance(batch, int) else 1 + number % 3 for number in range(FEEDS)]
    return Sample(model, [{x.name: b.rng.normal(size=(n, *x.shape)).astype(np.float32)} for n in sizes])


def _next(b: Builder, values: list[Tensor]) -> Tensor:
    """A layer on the newest value or an earlier one, or a join of two values of one shape."""
    growing = [value for value in values if value.size <= MAX_ELEMENTS]
    x = growing[-1] if b.number(0, 3) else b.choose(*growing)
    others = [value for value in values if value.shape == x.shape]
    if len(others) > 1 and b.number(0, 2) == 2:
        return _joined(b, x, b.choose(*others))
    layer = b.choose(*BY_RANK[len(x.shape)])
    made: Tensor = layer(b, x)
    return made


def _joined(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    match b.choose("Add", "Sub", "Mul", "Max", "Concat"):
        case "Mul":
            gate = b.op("Sigmoid", [y.name], y.shape)  # a product of free values would not stay finite
            return b.op("Mul", [x.name, gate.name], x.shape)
        case "Concat":
            return b.op("Concat", [x.name, y.name], (2 * x.shape[0], *x.shape[1:]), axis=1)
        case op_type:
            return b.op(op_type, [x.name, y.name], x.shape)


def _declared(value: Tensor, batch: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [batch, *value.shape])
