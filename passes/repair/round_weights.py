"""Weights on the codes that the plan rounds them to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, constant, nodes, remove_dead
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.quant import rounded_codes


@dataclass(frozen=True)
class RoundWeights(Pass):
    """Move weights to the codes that make their layer's output right, where these are not the nearest.

    Before: `y = Conv(x, w, b)` with a rounding for w in the plan
    After:  `y = Conv(x, w_rounded, b)`, which quantizes to exactly these codes

    Nagel et al. 2020 (arXiv 2004.10568) show why the nearest code is not the best. The codes are decided with the
    plan, from calibration data; here they are only put into the model.
    """

    name: ClassVar[str] = "round-weights"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Give every node that the plan has a rounding for its own weight."""
        assert context.plan is not None
        names = Names(model)
        roundings = context.plan.roundings
        changes = 0
        for node in list(nodes(model)):
            for index, value in enumerate(node.inputs):
                key = (node.name or "", index)
                weight, params = constant(value), context.plan.weights.get(key)
                if key not in roundings or weight is None or params is None:
                    continue
                assert isinstance(node.graph, ir.Graph) and value is not None
                codes = rounded_codes(weight, params, roundings[key])
                # the float32 nearest to code * scale divides back to within 1e-4 of the code
                rounded = names.initializer(node.graph, f"{value.name}_rounded", params.dequantize(codes))
                node.replace_input_with(index, rounded)
                changes += 1
        if changes:
            remove_dead(model)  # what was rounded is read no more
        return PassResult(changes)
