"""Clamps on 8-bit values, where no requantization before them can do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names
from qcompile.passes.lower.integers import UnaryLowering, UnaryUnit, clamp_bounds, emit


@dataclass(frozen=True)
class ClampIntegers(UnaryLowering):
    """Let Relu and Clip run on the 8-bit values, between the codes of their bounds.

    Before: `y_q = Q(Relu(DQ(x_q, s, z)), s, z)`
    After:  `y_q = Clip(x_q, z, 255)`

    Only where input and output have the same parameters. Exact: rounding and clamping commute, since a bound's code
    is the rounding of the bound.
    """

    name: ClassVar[str] = "clamp-integers"
    ops: ClassVar[tuple[str, ...]] = ("Relu", "Clip")

    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace one clamp."""
        params = unit.x.params()
        if params != unit.y.params():
            return "input and output have different parameters"
        graph = node.graph
        assert isinstance(graph, ir.Graph)
        codes = params.quantize(np.array(clamp_bounds(node), np.float32))
        bounds = [
            names.initializer(graph, f"{node.name}_{side}", code)
            for side, code in zip(("low", "high"), codes, strict=True)
        ]
        emit(node, unit.result, "Clip", [unit.x.value, *bounds], domain="")
        return True
