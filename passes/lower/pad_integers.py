"""Padding on 8-bit values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, attribute, scalar_constant
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, emit, plain_attributes


@dataclass(frozen=True)
class PadIntegers(UnaryLowering):
    """Let Pad run on the 8-bit values; for 0 it puts the zero point.

    Before: `y_q = Q(Pad(DQ(x_q, s, z), pads), s, z)`
    After:  `y_q = Pad(x_q, pads, z)`

    In every mode; where it pads with a constant, that has to be 0. Only where input and output have the same
    parameters. Exact.
    """

    name: ClassVar[str] = "pad-integers"
    ops: ClassVar[tuple[str, ...]] = ("Pad",)

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one Pad."""
        if unit.x.params() != unit.y.params():
            return "input and output have different parameters"
        pads, fill, axes = (*node.inputs, None, None)[1:4]
        is_constant = attribute(node, "mode", "constant") == "constant"
        if is_constant and fill is not None and scalar_constant(fill) != 0:
            return "it pads with another number than 0"
        inputs = [unit.x.value, pads, unit.x.zero_point if is_constant else None, axes]
        while inputs[-1] is None:
            inputs.pop()
        emit(node, unit.result, "Pad", inputs, plain_attributes(node), domain="")
        return True
