"""Which weights of float nodes are stored in 8 bits: all that get smaller by it, with the finest scales that pay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, nodes
from qcompile.passes.repair.migrate_scales import migrated_constant
from qcompile.plan import Code, Plan
from qcompile.quant import QuantParams, weight_params

OVERHEAD = 512
"""Bytes that a stored weight costs beside itself: two nodes and their names."""

WEIGHT_AXES: Mapping[str, Callable[[ir.Node], dict[int, int]]] = {
    "Conv": lambda node: {1: 0},
    # one scale per output channel, or per input channel where groups share them
    "ConvTranspose": lambda node: {1: 0 if attribute(node, "group", 1) > 1 else 1},
    "Gather": lambda node: {0: 0} if attribute(node, "axis", 0) == 0 else {},
    "Gemm": lambda node: {1: 0 if attribute(node, "transB", 0) else 1},
    "GRU": lambda node: {1: 1, 2: 1},
    "LSTM": lambda node: {1: 1, 2: 1},
    "MatMul": lambda node: {0: -2, 1: -1},
    "RNN": lambda node: {1: 1, 2: 1},
}
"""By op: input index -> axis of the scales, for the operators whose weights lie still while activations pass."""


def stored_weights(model: ir.Model, plan: Plan, per_tensor: Collection[str] = ()) -> dict[tuple[str, int], QuantParams]:
    """Parameters of every weight of a float node that is worth storing in 8 bits, by (node name, input index).

    `per_tensor` names nodes whose weights have one scale each.
    """
    found = {}
    for node in nodes(model):
        if plan.is_integer(node.name) or _is_excluded(node, plan):
            continue
        for index, axis in _weight_axes(node).items():
            weight = migrated_constant(node, index, plan.migrations) if index < len(node.inputs) else None
            if weight is None or weight.dtype != np.float32 or weight.ndim < 2 or not np.isfinite(weight).all():
                continue
            params = weight_params(weight, None if node.name in per_tensor else axis)
            if weight.size + 4 * params.scale.size + OVERHEAD < weight.nbytes:
                found[node.name or "", index] = params
    return found


def _is_excluded(node: ir.Node, plan: Plan) -> bool:
    """Whether somebody asked that the node stays float: its weights then stay as they are, too."""
    decision = plan.nodes.get(node.name or "")
    return decision is not None and decision.reason is not None and decision.reason.code is Code.EXCLUDED


def _weight_axes(node: ir.Node) -> dict[int, int]:
    axes = WEIGHT_AXES.get(node.op_type) if node.domain == "" else None
    return axes(node) if axes is not None else {}
