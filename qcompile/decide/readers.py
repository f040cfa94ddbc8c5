"""What the model sees of a value, where that is one function of each of its numbers: an activation function, mostly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.ir import attribute, nodes, scalar_constant
from qcompile.quant import Function

Numbers = npt.NDArray[np.float64]


def reader_functions(model: ir.Model) -> dict[str, Function]:
    """By value name the function that stands between a value and all that reads it.

    It may be several nodes, as x * Sigmoid(x) is (Ramachandran et al. 2017, arXiv 1710.05941): the first few that
    compute on each number by itself and leave one result. Values that are read otherwise as well, or leave the model,
    are not in it.
    """
    values = dict.fromkeys(value for node in nodes(model) for value in node.inputs if value is not None)
    found = {value.name or "": _nodes_between(value) for value in values if value.const_value is None}
    return {name: partial(_compute, between) for name, between in found.items() if between}


def _nodes_between(value: ir.Value) -> list[ir.Node]:
    """The fewest pointwise nodes that leave one result in place of a value, in the order of computing; [] if none."""
    inside: dict[ir.Value, None] = {value: None}
    found: list[ir.Node] = []
    while more := next((node for v in inside for node in _readers(v) if _follows(node, inside, found)), None):
        found.append(more)
        inside[more.outputs[0]] = None
        leaving = [v for v in inside if v.is_graph_output() or any(node not in found for node in _readers(v))]
        if leaving == [more.outputs[0]]:
            return found
    return []


def _readers(value: ir.Value) -> list[ir.Node]:
    return [use.node for use in value.uses()]


def _follows(node: ir.Node, inside: Mapping[ir.Value, None], found: list[ir.Node]) -> bool:
    """Whether a node is pointwise and reads nothing but what was found so far."""
    if node in found or node.domain != "" or node.op_type not in _FUNCTIONS:
        return False
    slope = node.inputs[1:] if node.op_type == "PRelu" else ()
    return all(value in inside or (value in slope and scalar_constant(value) is not None) for value in node.inputs)


def _compute(between: list[ir.Node], x: Numbers) -> Numbers:
    known = {between[0].inputs[0]: x}
    for node in between:
        known[node.outputs[0]] = _FUNCTIONS[node.op_type](node, *(known[v] for v in node.inputs if v in known))
    return known[between[-1].outputs[0]]


def _leaky_relu(node: ir.Node, x: Numbers) -> Numbers:
    return np.where(x < 0, float(attribute(node, "alpha", 0.01)) * x, x)


def _prelu(node: ir.Node, x: Numbers) -> Numbers:
    return np.where(x < 0, (scalar_constant(node.inputs[1]) or 0.0) * x, x)


def _elu(node: ir.Node, x: Numbers) -> Numbers:
    return np.where(x < 0, float(attribute(node, "alpha", 1.0)) * np.expm1(np.minimum(x, 0)), x)


def _hard_sigmoid(node: ir.Node, x: Numbers) -> Numbers:
    alpha, beta = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    return np.asarray(np.clip(alpha * x + beta, 0, 1))


def _gelu(node: ir.Node, x: Numbers) -> Numbers:
    """In its form by tanh, which is within 0.001 of the exact one (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""
    bounded = np.clip(x, -100, 100)  # beyond, its cube may overflow and its tanh is +-1
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (bounded + 0.044715 * bounded**3))))


_FUNCTIONS: dict[str, Callable[..., Numbers]] = {
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda node, x: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": _leaky_relu,
    "Mul": lambda node, a, b: a * b,
    "PRelu": _prelu,
    "Relu": lambda node, x: np.maximum(x, 0),
    "Sigmoid": lambda node, x: 0.5 * (1 + np.tanh(x / 2)),
    "Softplus": lambda node, x: np.logaddexp(x, 0),
    "Tanh": lambda node, x: np.tanh(x),
}
"""By operator, of what it reads of the value; finite on finite numbers."""
