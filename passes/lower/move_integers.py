"""Data movement on 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.clamp_integers import ClampIntegers
from qcompile.passes.lower.integers import Lowering, dequantized, requantized
from qcompile.targets.cpu import MOVES

_MOVES = tuple(op for op in MOVES if op not in ClampIntegers.ops)


@dataclass(frozen=True)
class MoveIntegers(Lowering):
    """Let operators that only move values about run on the 8-bit values.

    Before: `y_q = Q(Reshape(DQ(x_q, s, z), shape), s, z)`
    After:  `y_q = Reshape(x_q, shape)`

    Only where input and output have the same parameters. Exact.
    """

    name: ClassVar[str] = "move-integers"
    ops: ClassVar[tuple[str, ...]] = _MOVES

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Let one node read and make 8-bit values."""
        x = dequantized(node.inputs[0])
        if x is None:
            return None
        results = {value: requantized(value) for value in node.outputs if value.uses() or value.is_graph_output()}
        found = {value: result for value, result in results.items() if result is not None}
        if len(found) < len(results):
            return "its output is not quantized for all readers"
        if any(result.params() != x.params() for _, result in found.values()):
            return "input and output have different parameters"
        node.replace_input_with(0, x.value)
        for value in node.outputs:
            value.type = x.value.type if value.dtype == ir.DataType.FLOAT else value.type
        for value, (quantize, _) in found.items():
            _take_over(value, quantize.outputs[0])
        return True


def _take_over(value: ir.Value, old: ir.Value) -> None:
    """Let the value itself be the 8-bit one, under the name that the plan's pair gave it."""
    name, is_output = old.name, old.is_graph_output()
    value.type, value.shape = old.type, old.shape or value.shape
    value.metadata_props.update(old.metadata_props)
    old.name = None
    old.replace_all_uses_with(value, replace_graph_outputs=is_output)
    value.name = name
