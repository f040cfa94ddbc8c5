"""route-channels: shuffles gone, and equal codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import onnx_ir as ir
import pytest

from qcompile.passes.lower.route_channels import RouteChannels
from qcompile.pipeline import PassResult

INTERFACE = "(uint8[1,4,6,6] x) => (uint8[N,C,H,W] y)"
SHAPES = ", ".join(f"uint8[1,12,6,6] {name}" for name in ("j1", "j2", "j3"))


def shuffle(x: str, y: str, groups: int = 2) -> str:
    """Channel shuffle of 12 channels."""
    return (
        f"{y}_r = Reshape <allowzero = 0> ({x}, by{groups}) {y}_t = Transpose <perm = [0, 2, 1, 3, 4]> ({y}_r) "
        f"{y} = Reshape({y}_t, flat) "
    )


def units(*joins: str, groups: int = 2) -> str:
    """A stem of two convolutions and a unit for each join: half of the channels goes through a convolution."""
    text = "l0 = Conv(x, a) r0 = Conv(x, b) "
    for index, join in enumerate(joins, 1):
        text += f"j{index} = {join.format(l=f'l{index - 1}', r=f'r{index - 1}')} " + shuffle(
            f"j{index}", f"m{index}", groups
        )
        text += (
            f"l{index}, h{index} = Split <axis = 1, num_outputs = 2> (m{index}) r{index} = Conv(h{index}, c{index}) "
        )
    return text + f"z = Concat <axis = 1> (l{len(joins)}, r{len(joins)}) y = Conv(z, d)"


CONVS = {"a": (6, 4, 1, 1), "b": (6, 4, 1, 1), "d": (8, 12, 1, 1)} | {f"c{i}": (6, 6, 1, 1) for i in (1, 2, 3)}
COPY = "Concat <axis = 1> ({l}, {r})"
RESCALE = "com.microsoft.QLinearConcat <axis = 1> (sa, za, {l}, sa, za, {r}, sb, zb)"
RESCALE_BOTH = "com.microsoft.QLinearConcat <axis = 1> (sb, zb, {l}, sa, za, {r}, sx, zx)"


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize(
    "joins", [(COPY,), (COPY, COPY, COPY), (RESCALE, COPY), (RESCALE, RESCALE, RESCALE), (RESCALE_BOTH,) * 3]
)
def test_shuffles_are_gone(
    substitute: Callable[..., tuple[ir.Model, PassResult]], joins: tuple[str, ...], groups: int
) -> None:
    model, result = substitute(RouteChannels(), INTERFACE, units(*joins, groups=groups), SHAPES, **CONVS)
    ops = Counter(node.op_type for node in model.graph)
    assert ops["Reshape"] == ops["Transpose"] == 0
    assert result.changes == len(joins)


def test_a_channel_is_taken_apart_once(substitute: Callable[..., tuple[ir.Model, PassResult]]) -> None:
    model, _ = substitute(RouteChannels(), INTERFACE, units(COPY, COPY, COPY), SHAPES, **CONVS)
    splits = [node.inputs[0] for node in model.graph if node.op_type == "Split"]
    makers = [value.producer() for value in splits if value is not None]
    assert [maker.op_type for maker in makers if maker is not None] == ["QLinearConv"] * len(splits)
    assert len(splits) == len(set(splits))


@pytest.mark.parametrize(
    ("interface", "nodes"),
    [
        ("(uint8[1,4,6,6] x) => (uint8[N,C,H,W] y, uint8[N,C,H,W] m1)", units(COPY)),
        (INTERFACE, units(COPY).replace("d)", "d0)") + " y = Transpose <perm = [0, 1, 3, 2]> (l1)"),
        ("(uint8[1,12,6,6] x) => (uint8[N,C,H,W] y)", shuffle("x", "m1") + "y = Conv(m1, d)"),
    ],
)
def test_what_stays(substitute: Callable[..., tuple[ir.Model, PassResult]], interface: str, nodes: str) -> None:
    nodes = nodes.replace("y = Conv(z, d0)", "q = Conv(z, d)")
    model, result = substitute(RouteChannels(), interface, nodes, SHAPES, **CONVS)
    assert not result.changes
    assert [why.detail for _, why in result.declined] == [
        "some channels that meet here do not begin or end in convolutions"
    ]
    assert "Transpose" in ir.to_onnx_text(model)
