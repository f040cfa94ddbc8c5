"""A product for each part of what is split."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant, is_op, nodes, rank, remove_dead, sole_consumer
from qcompile.passes.lower.integers import emit
from qcompile.passes.lower.substitute import Substitute
from qcompile.pipeline import Context, PassResult

_OF_COLUMNS = (1, 3, 5, 6)
"""Inputs of MatMulIntegerToFloat with one number a column: weights, their scales and zero points, the bias."""


@dataclass(frozen=True)
class SplitProducts(Substitute):
    """Compute the parts of a product that is split among queries, keys and values apart.

    Before: `t = com.microsoft.MatMulIntegerToFloat(x, w, sx, sw, zx, zw, b)  q, k, v = Split <axis = -1> (t)`
    After:  `q = com.microsoft.MatMulIntegerToFloat(x, wq, sx, swq, zx, zwq, bq)`, and so on

    The floats are written once instead of twice, and the product costs the same in parts. Only where weights and sizes
    are constant, nobody else reads t, and it is split along its columns. Exact: a column depends on its weights alone.
    """

    name: ClassVar[str] = "split-products"

    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Split the weights of every such product."""
        names = Names(model)
        changes = sum(_split(node, names) for node in list(nodes(model)) if is_op(node, "Split"))
        if changes:
            remove_dead(model)
        return PassResult(changes)


def _split(split: ir.Node, names: Names) -> bool:
    product = split.inputs[0].producer() if split.inputs[0] is not None else None
    if (
        product is None
        or not is_op(product, "MatMulIntegerToFloat", domain=CONTRIB)
        or product.graph is not split.graph
    ):
        return False
    weight, ends = constant(product.inputs[1]), _ends(split)
    arrays = {i: constant(value) for i, value in enumerate(product.inputs) if i in _OF_COLUMNS and value is not None}
    is_alone = sole_consumer(product.outputs[0]) is split
    if weight is None or weight.ndim != 2 or ends is None or not is_alone or not _is_of_columns(split):
        return False
    if any(array is None for array in arrays.values()):
        return False
    graph = split.graph
    assert isinstance(graph, ir.Graph)
    parts = list(zip(split.outputs, pairwise((0, *ends)), strict=True))
    for number, (output, (start, end)) in reversed(list(enumerate(parts))):  # each goes right behind the Split
        inputs = list(product.inputs)
        for index, array in arrays.items():
            value = product.inputs[index]
            assert array is not None and value is not None
            if array.shape[-1:] == weight.shape[-1:]:
                inputs[index] = names.initializer(graph, f"{value.name}_{number}", array[..., start:end].copy())
        name = names.node(f"{product.name}_{number}") if number else product.name
        emit(split, output, product.op_type, inputs, name=name)
    graph.remove([split, product], safe=True)
    return True


def _ends(split: ir.Node) -> list[int] | None:
    """The column behind each part; None where they are not known."""
    sizes = constant(split.inputs[1]) if len(split.inputs) > 1 else None
    widths = [output.shape[-1] if output.shape else None for output in split.outputs] if sizes is None else list(sizes)
    known = [int(width) for width in widths if isinstance(width, int | np.integer)]
    return np.cumsum(known).tolist() if len(known) == len(widths) else None


def _is_of_columns(split: ir.Node) -> bool:
    axis, axes = attribute(split, "axis", 0), rank(split.inputs[0])
    return axis == -1 or (axes is not None and axis == axes - 1)
