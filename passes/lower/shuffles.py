"""Channel shuffles as exporters write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant, is_op, nodes, sole_consumer


@dataclass(frozen=True)
class Shuffle:
    """Reshape, Transpose and Reshape that permute channels: [n,c,..] as [n,g,c/g,..] as [n,c/g,g,..] as [n,c,..]."""

    nodes: tuple[ir.Node, ir.Node, ir.Node]
    order: np.ndarray
    """Which channel of the input each channel of the output is."""

    @property
    def x(self) -> ir.Value:
        """What is shuffled."""
        assert self.nodes[0].inputs[0] is not None
        return self.nodes[0].inputs[0]

    @property
    def y(self) -> ir.Value:
        """What comes out."""
        return self.nodes[2].outputs[0]


def shuffles(model: ir.Model) -> Iterator[Shuffle]:
    """Every shuffle of channels whose parts nobody else reads."""
    for node in nodes(model):
        transpose = sole_consumer(node.outputs[0]) if is_op(node, "Reshape") else None
        last = sole_consumer(transpose.outputs[0]) if transpose and is_op(transpose, "Transpose") else None
        if transpose is None or last is None or not is_op(last, "Reshape"):
            continue
        order = _order(node, attribute(transpose, "perm", ()), last)
        if order is not None:
            yield Shuffle((node, transpose, last), order)


def _order(first: ir.Node, perm: tuple[int, ...], last: ir.Node) -> np.ndarray | None:
    """The order of channels that results, if nothing but channels moves."""
    x, groups = first.inputs[0], constant(first.inputs[1])
    back = constant(last.inputs[1])
    if x is None or x.shape is None or groups is None or back is None or len(groups) < 4:
        return None
    count, area = x.shape[1], list(x.shape[2:])
    if not isinstance(count, int):
        return None
    split, channels = [int(size) for size in groups[1:3]], int(back[1])
    moves_channels = list(perm) == [0, 2, 1, *range(3, len(groups))]
    # -1 stands for what is left, which is the dimension that it replaces if all others are as they were
    keeps_area = list(groups[3:]) == area == list(back[2:]) and groups[0] == back[0] == x.shape[0]
    if not moves_channels or not keeps_area or channels not in (count, -1) or np.prod(split) != count:
        return None
    return np.arange(count).reshape(split).T.reshape(-1)
