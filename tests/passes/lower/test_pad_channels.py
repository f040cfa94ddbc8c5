"""pad-channels: what the widths become, and equal codes."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
import pytest

from qcompile.ir import constant, is_op
from qcompile.passes.lower.pad_channels import PadChannels
from qcompile.pipeline import PassResult

INTERFACE = "(uint8[1,16,9,9] x) => (uint8[N,C,H,W] y)"
NARROW = {"a": (58, 16, 1, 1), "d": (58, 1, 3, 3), "b": (32, 58, 1, 1)}


def weights(model: ir.Model) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights by what their convolution makes."""
    convs = [node for node in model.graph if is_op(node, "QLinearConv")]
    return {str(c.outputs[0].name): array.shape[:2] for c in convs if (array := constant(c.inputs[3])) is not None}


def test_between_dense_convolutions(substitute: Callable[..., tuple[ir.Model, PassResult]]) -> None:
    nodes = "f = Conv(x, a) g = Conv <group = 58> (f, d) y = Conv(g, b)"
    model, result = substitute(PadChannels(), INTERFACE, nodes, **NARROW)
    assert weights(model) == {"f": (64, 16), "g": (64, 1), "y": (32, 64)}
    assert model.graph.node(1).attributes.get_int("group") == 64
    assert result.changes == 3


@pytest.mark.parametrize(
    "passing",
    [
        "p = MaxPool <kernel_shape = [2, 2]> (f)",
        "p = com.microsoft.QLinearLeakyRelu <alpha = 0.1> (f, sa, za, sb, zb)",
        "p = com.microsoft.QLinearAdd(f, sa, za, e, sa, za, sb, zb)",
        "p = com.microsoft.QLinearMul(f, sa, za, e, sa, za, sb, zb)",
        "p = com.microsoft.QLinearSigmoid(f, sa, za, sb, zb)",
        "p = com.microsoft.QLinearGlobalAveragePool(f, sa, za, sb, zb)",
        "p = Clip(f, zb, za)",
    ],
)
def test_operators_that_pass_channels_on(substitute: Callable[..., tuple[ir.Model, PassResult]], passing: str) -> None:
    nodes = f"f = Conv(x, a) e = Conv(x, c) {passing} y = Conv(p, b)"
    model, _ = substitute(PadChannels(), INTERFACE, nodes, **NARROW, c=(58, 16, 1, 1))
    assert weights(model)["f"] == (60, 16)
    assert weights(model)["y"] == (32, 60)


def test_concat_and_split(substitute: Callable[..., tuple[ir.Model, PassResult]]) -> None:
    nodes = (
        "f = Conv(x, a) e = Conv(x, c) j = Concat <axis = 1> (f, e) l, r = Split <axis = 1> (j, sizes) "
        "u = Conv(l, p) v = Conv(r, q) y = com.microsoft.QLinearAdd(u, sa, za, v, sa, za, sb, zb)"
    )
    convs = {"a": (18, 16, 1, 1), "c": (30, 16, 1, 1), "p": (16, 26, 1, 1), "q": (16, 22, 1, 1)}
    model, _ = substitute(PadChannels(), INTERFACE, nodes, **convs)
    found = weights(model)
    assert all(outputs % 4 == inputs % 4 == 0 for outputs, inputs in found.values())
    assert found["f"][0] + found["e"][0] == found["u"][1] + found["v"][1]


@pytest.mark.parametrize(
    ("interface", "nodes"),
    [
        (INTERFACE, "y = Conv(x, a)"),  # leaves the graph
        ("(uint8[1,16,9,9] x) => (uint8[N,C,H,W] y, uint8[N,C,H,W] f)", "f = Conv(x, a) y = Conv(f, b)"),
        (INTERFACE, "f = Conv(x, a) t = Transpose <perm = [0, 1, 3, 2]> (f) y = Conv(t, b)"),  # one that is not known
        (INTERFACE, "f = Conv(x, e) y = Conv(f, g)"),  # 8 outputs are half of the least: as much work again
    ],
)
def test_what_stays(substitute: Callable[..., tuple[ir.Model, PassResult]], interface: str, nodes: str) -> None:
    model, result = substitute(PadChannels(), interface, nodes, **NARROW, e=(8, 16, 1, 1), g=(32, 8, 1, 1))
    assert not result.changes
    assert result.declined
    assert "_arranged" not in ir.to_onnx_text(model)
