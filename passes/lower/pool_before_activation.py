"""Activation functions after the pooling that they were before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant, is_op, nodes, sole_consumer
from qcompile.passes.canonicalize.replacing import insert
from qcompile.passes.lower.integers import emit, plain_attributes
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult


@dataclass(frozen=True)
class PoolBeforeActivation(Substitute):
    """Let MaxPool run before an activation function that never falls, which then has fewer values to do.

    Before: `a = com.microsoft.QLinearLeakyRelu(x, ...)  y = MaxPool <strides = [2, 2]> (a)`
    After:  `m = MaxPool <strides = [2, 2]> (x)  y = com.microsoft.QLinearLeakyRelu(m, ...)`

    For QLinearLeakyRelu with a slope from 0 on, QLinearSigmoid, and Clip of codes with constant bounds. Only where
    nobody else reads the function's result, or the pooling's indices, and it strides. Exact: a function of one code
    that never falls takes the largest to the largest, and rounding does not fall.
    """

    name: ClassVar[str] = "pool-before-activation"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Swap every such pair."""
        names = Names(model)
        pairs = [(node, pool) for node in nodes(model) if _never_falls(node) and (pool := _pool_behind(node))]
        for node, pool in pairs:
            _swap(node, pool, names)
        return PassResult(len(pairs))


def _never_falls(node: ir.Node) -> bool:
    if is_op(node, "QLinearLeakyRelu", domain=CONTRIB):
        return bool(attribute(node, "alpha", 0.01) >= 0)
    if is_op(node, "Clip"):
        return all(constant(bound) is not None for bound in node.inputs[1:] if bound is not None)
    return is_op(node, "QLinearSigmoid", domain=CONTRIB)


def _pool_behind(node: ir.Node) -> ir.Node | None:
    pool, value = sole_consumer(node.outputs[0]), node.inputs[0]
    is_on_codes = value is not None and value.dtype in (ir.DataType.UINT8, ir.DataType.INT8)
    if pool is None or not is_op(pool, "MaxPool") or pool.graph is not node.graph or not is_on_codes:
        return None
    indices = any(output.uses() or output.is_graph_output() for output in pool.outputs[1:])
    return pool if not indices and any(step > 1 for step in attribute(pool, "strides", ())) else None


def _swap(node: ir.Node, pool: ir.Node, names: Names) -> None:
    graph, result = node.graph, pool.outputs[0]
    assert isinstance(graph, ir.Graph)
    shape = result.shape
    pooled = insert(pool, "MaxPool", [node.inputs[0]], names, plain_attributes(pool), shape=shape)
    maker = pooled.producer()
    assert maker is not None
    maker.name = pool.name
    emit(
        pool,
        result,
        node.op_type,
        [pooled, *node.inputs[1:]],
        plain_attributes(node),
        domain=node.domain,
        name=node.name,
    )
    graph.remove([pool, node], safe=True)
