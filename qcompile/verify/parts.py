"""Outputs that join values of different kinds, such as boxes and scores, taken apart: each kind is judged by itself.

In one ratio of powers, boxes in pixels would hide whatever happens to scores between 0 and 1. And among scores the few
large ones would hide all others, so few that their errors are chance: scores are compared by their square roots, where
errors of small and large probabilities count alike (Hellinger 1909).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, constant, is_op, rank
from qcompile.runtime import Feed, Runs

_MOVES = ("Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""They change no number: what they give is of the kind that they get."""

_SCORES = (("Sigmoid",), ("Softmax",))
"""Kinds of values that are probabilities."""

_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE)


@dataclass(frozen=True)
class Parts:
    """Where the parts of an output begin and end along one of its axes."""

    axis: int
    ends: tuple[int, ...]
    scores: tuple[bool, ...]
    """Of each part whether it holds probabilities."""

    def of(self, array: np.ndarray) -> list[np.ndarray]:
        """The parts of the output; of probabilities their square roots."""
        before = [slice(None)] * self.axis
        pieces = [array[(*before, slice(start, stop))] for start, stop in pairwise((0, *self.ends))]
        pairs = zip(pieces, self.scores, strict=True)
        return [np.sqrt(np.maximum(piece, 0)) if is_score else piece for piece, is_score in pairs]

    def labels(self) -> list[str]:
        """How the parts are written: `[:, 4:22]`, and that roots are taken."""
        bounds = zip(pairwise((0, *self.ends)), self.scores, strict=True)
        before, roots = [":"] * self.axis, {True: " (square roots)", False: ""}
        return [f"[{', '.join([*before, f'{start}:{stop}'])}]{roots[score]}" for (start, stop), score in bounds]


class Parted:
    """What can be run, with a name and an array for each part of its outputs."""

    def __init__(self, runs: Runs, parts: Mapping[str, Parts]) -> None:
        self._runs, self._parts = runs, [parts.get(name) for name in runs.outputs]
        found = zip(runs.outputs, self._parts, strict=True)
        self.outputs = [f"{name}{label}" for name, part in found for label in (part.labels() if part else [""])]

    def run(self, feed: Feed) -> list[np.ndarray]:
        """The parts in order."""
        results = zip(self._parts, self._runs.run(feed), strict=True)
        return [piece for part, array in results for piece in (part.of(array) if part else [array])]


def output_parts(model: ir.Model) -> dict[str, Parts]:
    """The parts of a canonical model's outputs by name; none for outputs of one kind, or where lengths are not known.

    An output is in parts if a Concat that it is moved from joins what different operators compute. Only outputs of
    three axes and more: rows of classes are decided on as a whole.
    """
    found = {}
    for value in model.graph.outputs:
        parts = _parts(value) if value.dtype in _FLOATS and (rank(value) or 0) >= 3 else None
        if parts is not None and parts.axis > 0:
            found[value.name or ""] = parts
    return found


def with_signal(parts: Mapping[str, Parts], runs: Runs, feeds: Iterable[Feed]) -> dict[str, Parts]:
    """The parts of those outputs in which every part holds something on some feed: of nothing no error is a share."""
    heard: dict[str, set[int]] = {name: set() for name in parts}
    for feed in feeds if parts else ():
        for name, array in zip(runs.outputs, runs.run(feed), strict=True):
            if name in parts:
                heard[name] |= {number for number, piece in enumerate(parts[name].of(array)) if np.any(piece)}
    return {name: part for name, part in parts.items() if len(heard[name]) == len(part.ends)}


def _parts(value: ir.Value | None) -> Parts | None:
    """The parts of a value: of the Concat that makes it, or, along another axis, of what is joined or moved."""
    node = value.producer() if value is not None else None
    if node is None or not node.inputs:
        return None
    if is_op(node, "Concat"):
        axis = attribute(node, "axis", 0) % (rank(node.outputs[0]) or 1)
        kinds = [(_kind(source), _length(source, axis)) for source in node.inputs]
        if len({kind for kind, _ in kinds}) > 1:
            return None if 0 in (length for _, length in kinds) else _joined(axis, kinds)
        inner = _parts(node.inputs[0])
        return inner if inner is not None and inner.axis != axis else None
    inner = _parts(node.inputs[0]) if is_op(node, *_MOVES) else None
    axis_after = _moved(node, inner.axis) if inner is not None else None
    return Parts(axis_after, inner.ends, inner.scores) if inner is not None and axis_after is not None else None


def _joined(axis: int, kinds: list[tuple[tuple[str, ...], int]]) -> Parts:
    """One part for all neighbours of one kind."""
    groups = [(kind, sum(length for _, length in group)) for kind, group in groupby(kinds, lambda pair: pair[0])]
    ends = tuple(accumulate(length for _, length in groups))
    return Parts(axis, ends, tuple(kind in _SCORES for kind, _ in groups))


def _moved(node: ir.Node, axis: int) -> int | None:
    """Where a move puts an axis; None if it mixes, cuts or permutes what lies along it, or nobody knows."""
    before, after = (value.shape if value is not None else None for value in (node.inputs[0], node.outputs[0]))
    if is_op(node, "Identity", "Cast"):
        return axis
    if is_op(node, "Transpose"):
        perm = attribute(node, "perm", [*range(rank(node.outputs[0]) or 0)][::-1])
        return [*perm].index(axis)
    if is_op(node, "Squeeze", "Unsqueeze") and before is not None and after is not None:
        axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if axes is None:
            return None
        longer = max(len(before), len(after))
        gone = {int(a) % longer for a in axes.reshape(-1)}
        kept = [a for a in range(longer) if a not in gone]
        if is_op(node, "Unsqueeze"):
            return kept[axis]
        return kept.index(axis) if axis in kept else None
    if is_op(node, "Reshape") and before is not None and after is not None:
        return axis if before[: axis + 1] == after[: axis + 1] else None
    return None


def _behind_moves(value: ir.Value | None) -> ir.Node | None:
    node = value.producer() if value is not None else None
    while node is not None and is_op(node, *_MOVES) and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node


def _kind(value: ir.Value | None) -> tuple[str, ...]:
    """The operators that compute a value: one, or those behind a Concat, of which each is looked at once."""
    kinds: dict[str, None] = {}
    met: set[ir.Node] = set()
    left = [value]
    while left:
        node = _behind_moves(left.pop())
        if is_op(node, "Concat") and node is not None:
            left += node.inputs[::-1] if node not in met else ()
            met.add(node)
        else:
            kinds[node.op_type if node is not None else ""] = None
    return tuple(kinds)


def _length(value: ir.Value | None, axis: int) -> int:
    """How long a value is along an axis; 0: not known."""
    size = value.shape[axis] if value is not None and value.shape is not None else None
    return size if isinstance(size, int) else 0
