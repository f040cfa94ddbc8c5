"""widen-groups: what the widths become, and equal codes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import onnx_ir as ir
import pytest

from qcompile.ir import constant
from qcompile.passes.lower.widen_groups import WidenGroups
from qcompile.pipeline import PassResult


@pytest.mark.parametrize(
    ("groups", "weight", "left", "width"),
    [
        (16, (128, 8, 3, 3), 4, 32),  # as wide as pays
        (8, (64, 8, 1, 1), 1, 64),  # one group is best where all are few
        (9, (108, 12, 3, 3), 9, 12),  # three at a time would be too wide
        (12, (192, 8, 3, 3), 6, 16),  # 16 outputs a group are counted as well
        (32, (32, 1, 3, 3), 32, 1),  # depthwise
        (2, (96, 48, 1, 1), 2, 48),
        (1, (16, 16, 1, 1), 1, 16),
    ],
)
def test_widths(
    substitute: Callable[..., tuple[ir.Model, PassResult]], groups: int, weight: tuple[int, ...], left: int, width: int
) -> None:
    channels = groups * weight[1]
    interface = f"(uint8[1,{channels},5,5] x) => (uint8[1,{weight[0]},H,W] y)"
    model, result = substitute(WidenGroups(), interface, f"y = Conv <group = {groups}> (x, w)", w=weight)
    conv = next(node for node in model.graph if node.op_type == "QLinearConv")
    array = constant(conv.inputs[3])
    assert array is not None
    assert (conv.attributes.get_int("group"), array.shape) == (left, (weight[0], width, *weight[2:]))
    assert bool(result.changes) == (left != groups)
    stored = [value.const_value for value in model.graph.initializers.values() if value.dtype == ir.DataType.INT8]
    assert sum(tensor.size for tensor in stored if tensor is not None and tensor.size > weight[0]) == prod(weight)
