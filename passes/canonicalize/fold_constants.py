"""What can be computed now is computed now; onnxscript's folder behind a wall."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnxscript.optimizer import FOLDED_FROM_KEY, fold_constants

from qcompile.ir import detach, graphs, nodes, remove_dead, static_shape
from qcompile.passes.canonicalize.interface import kept_interface
from qcompile.passes.canonicalize.lift_constants import lift_constant_nodes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.pipeline import Context, Pass, PassResult
from qcompile.plan import Code, Reason

GROWTH = 1 << 20
"""Bytes by which a folded constant may exceed what it is made of; an Expand can ask for any amount."""

_ARITHMETIC = {
    "Abs",
    "Add",
    "Clip",
    "Div",
    "Exp",
    "Log",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Reciprocal",
    "Sqrt",
    "Sub",
}
_MOVES = {"Concat", "Expand", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze", "Where"}
_REDUCTIONS = {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare"}
_LINEAR_TIME = _ARITHMETIC | _MOVES | _REDUCTIONS | {"Cast", "CastLike", "ConstantOfShape", "Identity"}
"""Operators that prepare weights: at any size they cost no more than reading and writing."""

_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
_QUANTIZE = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
_NEVER = _RANDOM | _QUANTIZE | {"Dropout"}
"""Operators that mean more than their result, or have another one each time."""


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Compute what depends on constants and static shapes alone, and remove what nothing reads.

    ```
    t = Transpose <perm = [1, 0]> (w)   =>  y = MatMul(x, t)    # t an initializer
    y = MatMul(x, t)
    s = Shape(x)                        =>  y = Reshape(z, s)   # s an initializer, where x has a static shape
    y = Reshape(z, s)
    ```
    Stays: quantize and dequantize operators, random ones, what reads an initializer that is also a graph input, the
    node of a graph output, a result of unknown size or more than 1 MiB larger than its operands, and operators that
    are more than linear work (MatMul, Conv, ...) on large operands. An If with a constant condition becomes its branch.
    Names and declared shapes of inputs and outputs are kept. Preserves: float-equal up to rounding.
    """

    name = "fold-constants"

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Fold, then clean up after the library; the changes are the nodes that are gone."""
        before = set(nodes(model))
        left_out = [value for node in before for value in node.outputs if not value.name]
        declined: tuple[tuple[str, Reason], ...] = ()
        with kept_interface(model), _quiet(), np.errstate(all="ignore"):
            try:
                fold_constants(model, onnx_shape_inference=True, output_size_limit=_NO_LIMIT, should_fold=_should_fold)
            except RuntimeError as error:
                declined = (("", Reason(Code.RULE_DECLINED, f"constant folding: {error.__cause__ or error}")),)
        for value in left_out:
            value.name = ""  # the library names them, and the runtime would then compute them
        _drop_provenance(model)
        lift_constant_nodes(model)
        for node in before - set(nodes(model)):  # an untaken branch goes whole, and would keep what it captured
            detach(node)
        remove_dead(model)
        NameNodes().run(model, context)
        return PassResult(len(before - set(nodes(model))), declined)


_NO_LIMIT = 1 << 62


def _should_fold(node: ir.Node) -> bool | None:
    """Yes, no, or (None) only where the operands are small."""
    if node.op_type in _NEVER or any(value.is_graph_output() for value in node.outputs):
        return False
    made, read = _bytes(node.outputs), _bytes(node.inputs)
    if made is None or read is None or made > read + GROWTH:
        return False
    return True if node.op_type in _LINEAR_TIME and node.domain == "" else None


def _bytes(values: Sequence[ir.Value | None]) -> int | None:
    """Size of the tensors together, or None where one is unknown."""
    total = 0
    for value in values:
        if value is None or not value.name:
            continue
        shape = static_shape(value)
        if shape is None or value.dtype is None or value.dtype == ir.DataType.STRING:
            return None
        total += math.prod(shape) * value.dtype.bitwidth // 8
    return total


def _drop_provenance(model: ir.Model) -> None:
    """The library notes on every result what it was folded from; that would be saved with the model."""
    for graph in graphs(model):
        values = (value for node in graph for value in node.outputs)
        for value in (*graph.initializers.values(), *values):
            value.metadata_props.pop(FOLDED_FROM_KEY, None)
            value.meta.pop(FOLDED_FROM_KEY, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the library cannot evaluate it leaves, but says so in the user's log."""
    logger = logging.getLogger("onnxscript.optimizer._constant_folding")
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
