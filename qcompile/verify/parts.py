"""Outputs that join values of different kinds, such as boxes and scores, taken apart: each kind is judged by itself.

In one ratio of powers, boxes in pixels would hide whatever happens to scores between 0 and 1. And among scores the few
large ones would hide all others, so few that their errors are chance: scores are compared by their square roots, where
errors of small and large probabilities count alike (Hellinger 1909).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
import onnx_ir as ir

from qcompile.ir import attribute, is_op
from qcompile.runtime import Feed, Runs

_MOVES = ("Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""They change no number: what they give is of the kind that they get."""

_SCORES = (("Sigmoid",), ("Softmax",))
"""Kinds of values that are probabilities."""


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

    def __init__(self, runs: Runs, parts: dict[str, Parts]) -> None:
        self._runs, self._parts = runs, [parts.get(name) for name in runs.outputs]
        found = zip(runs.outputs, self._parts, strict=True)
        self.outputs = [f"{name}{label}" for name, part in found for label in (part.labels() if part else [""])]

    def run(self, feed: Feed) -> list[np.ndarray]:
        """The parts in order."""
        results = zip(self._parts, self._runs.run(feed), strict=True)
        return [piece for part, array in results for piece in (part.of(array) if part else [array])]


def output_parts(model: ir.Model) -> dict[str, Parts]:
    """The parts of a model's outputs by name; none for outputs of one kind, or where it is not known how long they are.

    An output is in parts if a Concat that it is moved from joins what different operators compute.
    """
    found = {}
    for value in model.graph.outputs:
        if (parts := _parts(value)) is not None:
            found[value.name or ""] = parts
    return found


def joins_values(model: ir.Model) -> bool:
    """Whether an output may have parts; shapes need not be known."""
    return any(is_op(_behind_moves(value), "Concat") for value in model.graph.outputs)


def _parts(output: ir.Value) -> Parts | None:
    value: ir.Value | None = output
    while (joint := _behind_moves(value)) is not None and is_op(joint, "Concat"):
        axis = attribute(joint, "axis")
        kinds = [(_kind(source), _length(source, axis)) for source in joint.inputs]
        if len({kind for kind, _ in kinds}) > 1:
            groups = [(kind, [length for _, length in group]) for kind, group in groupby(kinds, lambda pair: pair[0])]
            axis = _axis_of(output, sum(length for _, length in kinds))
            if axis is None or 0 in (length for _, length in kinds):
                return None
            ends = tuple(accumulate(sum(lengths) for _, lengths in groups))
            return Parts(axis, ends, tuple(kind in _SCORES for kind, _ in groups))
        value = joint.inputs[0]
    return None


def _behind_moves(value: ir.Value | None) -> ir.Node | None:
    node = value.producer() if value is not None else None
    while node is not None and is_op(node, *_MOVES) and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node


def _kind(value: ir.Value | None) -> tuple[str, ...]:
    """The operators that compute a value: one, or those behind a Concat."""
    node = _behind_moves(value)
    if node is None:
        return ("",)
    if not is_op(node, "Concat"):
        return (node.op_type,)
    return tuple(dict.fromkeys(kind for source in node.inputs for kind in _kind(source)))


def _length(value: ir.Value | None, axis: int) -> int:
    """How long a value is along an axis; 0: not known."""
    size = value.shape[axis] if value is not None and value.shape is not None else None
    return size if isinstance(size, int) else 0


def _axis_of(output: ir.Value, length: int) -> int | None:
    """The one axis of the output, other than that of batches, that is so long."""
    axes = [axis for axis, size in enumerate(output.shape or ()) if axis and size == length]
    return axes[0] if len(axes) == 1 else None
