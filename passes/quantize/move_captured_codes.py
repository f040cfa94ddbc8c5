"""Moves of what a body captures, on 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, is_op, nodes, remove_dead, scalar_constant
from qcompile.pipeline import Context, Pass, PassResult, Preserves

_MOVES = ("Flatten", "Identity", "MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True)
class MoveCapturedCodes(Pass):
    """Dequantize what a body captures last, behind the moves.

    Before: `m = Reshape(DQ(x_q, s, z), shape)`, and a body of If, Loop or Scan reads `m`
    After:  `m = DQ(Reshape(x_q, shape), s, z)`

    The runtime does as much by itself, but takes the node with the body for one that lists `m` among its inputs, and
    ends the process (onnxruntime 1.31, when it loads the model). Exact: moves change no value.
    """

    name: ClassVar[str] = "move-captured-codes"
    preserves: ClassVar[Preserves] = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Swap them in graph order, so that a chain of moves is passed one by one."""
        names, changes = Names(model), 0
        for node in nodes(model):
            before = node.inputs[0].producer() if is_op(node, *_MOVES) and node.inputs[0] is not None else None
            if before is None or len(node.outputs) > 1 or not _is_captured(node.outputs[0]):
                continue
            if is_op(before, "DequantizeLinear") and scalar_constant(before.inputs[1]) is not None:
                _swap(before, node, names)
                changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes)


def _is_captured(value: ir.Value) -> bool:
    """Whether a body reads the value, or what moves make of it."""
    producer = value.producer()
    assert producer is not None
    for reader, index in value.uses():
        if reader.graph is not producer.graph:
            return True
        if index == 0 and is_op(reader, *_MOVES) and _is_captured(reader.outputs[0]):
            return True
    return False


def _swap(dequantize: ir.Node, move: ir.Node, names: Names) -> None:
    """Let a move read codes, and a new DequantizeLinear take over its result with the name."""
    codes, moved = dequantize.inputs[0], move.outputs[0]
    assert codes is not None
    assert move.graph is not None
    after = ir.node(
        "DequantizeLinear", [None, *dequantize.inputs[1:]], name=names.node(f"{moved.name}_DequantizeLinear")
    )
    made = after.outputs[0]
    made.type, made.shape, moved.type = moved.type, moved.shape, codes.type
    made.name, moved.name = moved.name, names.value(f"{moved.name}_codes")
    moved.replace_all_uses_with(made, replace_graph_outputs=True)
    after.replace_input_with(0, moved)
    move.replace_input_with(0, codes)
    move.graph.insert_after(move, after)
