"""Masks on 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant
from qcompile.passes.lower.integers import Lowering, Quantized, dequantized, emit, requantized


@dataclass(frozen=True)
class MaskIntegers(Lowering):
    """Let a Where that puts zeros run on the 8-bit values; for 0 it puts the zero point.

    Before: `y_q = Q(Where(mask, DQ(x_q, s, z), DQ(0_q)), s, z)`
    After:  `y_q = Where(mask, x_q, z)`

    The zeros may be on either side. Only where input and output have the same parameters. Exact. QLinearWhere, which
    the runtime has, was measured to be slower than the float operator.
    """

    name: ClassVar[str] = "mask-integers"
    ops: ClassVar[tuple[str, ...]] = ("Where",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace one Where."""
        sides, y = [dequantized(value) for value in node.inputs[1:]], requantized(node.outputs[0])
        if None in sides:
            return None
        if y is None:
            return "its output is not quantized for all readers"
        quantize, result = y
        zeros = [_zeros(side, result) for side in sides]
        moved = [side for side, zero in zip(sides, zeros, strict=True) if zero is None]
        if len(moved) != 1 or moved[0] is None:
            return "it does not choose between values and zeros"
        if moved[0].params() != result.params():
            return "input and output have different parameters"
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        codes = [
            moved[0].value if zero is None else names.initializer(graph, f"{node.name}_zero", zero) for zero in zeros
        ]
        emit(node, quantize.outputs[0], "Where", [node.inputs[0], *codes], domain="")
        return True


def _zeros(side: Quantized | None, result: Quantized) -> np.ndarray | None:
    """The codes of a constant that is 0 throughout, as the result has them; None if it is none."""
    codes = None if side is None else constant(side.value)
    if side is None or codes is None or side.params().dequantize(codes).any():
        return None
    return np.full(codes.shape, result.params().zero_point)
