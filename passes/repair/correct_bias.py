"""Biases that make up for the mean shift of rounded weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, nodes
from qcompile.pipeline import Context, Pass, PassResult, Preserves


@dataclass(frozen=True)
class CorrectBias(Pass):
    """Add to biases what rounding the weights takes from the mean of their outputs.

    Before: `y = Conv(x, w, b)` with a shift for it in the plan
    After:  `y = Conv(x, w, b_corrected)`

    Nagel et al. 2019 (arXiv 1906.04721), section 4.2. The shifts are decided with the plan, from calibration data;
    here they are only added. A node without a bias gets one.
    """

    name: ClassVar[str] = "correct-bias"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Correct every node that the plan has a shift for."""
        assert context.plan is not None
        names = Names(model)
        changes = 0
        for node in list(nodes(model)):
            shift = context.plan.bias_shifts.get(node.name or "")
            entry = context.target.table.get(node.op_type)
            if shift is None or entry is None or entry.bias is None:
                continue
            bias = constant(node.inputs[entry.bias]) if len(node.inputs) > entry.bias else None
            start = np.zeros(len(shift)) if bias is None else bias.astype(np.float64)
            corrected = (start + np.asarray(shift)).astype(np.float32)
            value = names.initializer(_graph_of(node), f"{node.name}_bias_corrected", corrected)
            node.resize_inputs(max(len(node.inputs), entry.bias + 1))
            node.replace_input_with(entry.bias, value)
            changes += 1
        return PassResult(changes)


def _graph_of(node: ir.Node) -> ir.Graph:
    assert isinstance(node.graph, ir.Graph)
    return node.graph
