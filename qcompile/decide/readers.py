"""What the only reader of a value makes of it, where it works on each number by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.ir import attribute, is_op, nodes, scalar_constant, sole_consumer
from qcompile.quant import Function

Numbers = npt.NDArray[np.float64]


def reader_functions(model: ir.Model) -> dict[str, Function]:
    """By value name the function that is all that the model sees of it: an activation function, mostly.

    Values with other readers, and those that leave the model, are not in it.
    """
    return {value.name or "": function for value, function in _found(model)}


def _found(model: ir.Model) -> Iterator[tuple[ir.Value, Function]]:
    for node in nodes(model):
        make = _FUNCTIONS.get(node.op_type) if node.domain == "" else None
        value = node.inputs[0] if make else None
        if make is None or value is None or value.is_graph_output():
            continue
        function = make(node)
        if function is None:
            continue
        if sole_consumer(value) is node:
            yield value, function
        elif _is_gated_by(value, node):
            yield value, _gated(function)


def _is_gated_by(value: ir.Value, gate: ir.Node) -> bool:
    """Whether x * gate(x) is all that is made of x: SiLU (Ramachandran et al. 2017, arXiv 1710.05941) and its kin."""
    product = sole_consumer(gate.outputs[0])
    return is_op(product, "Mul") and {use.node for use in value.uses()} == {gate, product} and len(value.uses()) == 2


def _gated(gate: Function) -> Function:
    return lambda x: x * gate(x)


def _leaky_relu(node: ir.Node) -> Function:
    slope = float(attribute(node, "alpha", 0.01))
    return lambda x: np.where(x < 0, slope * x, x)


def _prelu(node: ir.Node) -> Function | None:
    slope = scalar_constant(node.inputs[1])
    return None if slope is None else lambda x: np.where(x < 0, slope * x, x)


def _elu(node: ir.Node) -> Function:
    alpha = float(attribute(node, "alpha", 1.0))
    return lambda x: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


def _hard_sigmoid(node: ir.Node) -> Function:
    alpha, beta = float(attribute(node, "alpha", 0.2)), float(attribute(node, "beta", 0.5))
    return lambda x: np.clip(alpha * x + beta, 0, 1)


def _hard_swish(node: ir.Node) -> Function:
    return lambda x: x * np.clip(x / 6 + 0.5, 0, 1)


def _sigmoid(node: ir.Node) -> Function:
    return lambda x: 0.5 * (1 + np.tanh(x / 2))


def _tanh(node: ir.Node) -> Function:
    return np.tanh


_FUNCTIONS: dict[str, Callable[[ir.Node], Function | None]] = {
    "Elu": _elu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "Sigmoid": _sigmoid,
    "Tanh": _tanh,
}
