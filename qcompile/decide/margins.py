"""Room beyond what made-up samples showed, where one number answers for a whole sample."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qcompile.ir import is_op, nodes

Range = tuple[float, float]

MARGIN = 2.0
"""A head answers what it was trained on louder than anything made up. Twice the range costs its codes one
bit, 6 dB; a range that is too narrow gives all the loud answers the same code."""

_HEAD = ("Conv", "Gemm", "MatMul")


def with_margins(model: ir.Model, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges, those that linear ops without positions give widened: logits most of all.

    A feature map shows its extremes at thousands of places; of these a few made-up samples show a few numbers.
    """
    heads = {value.name for node in nodes(model) if is_op(node, *_HEAD) for value in node.outputs if _is_vector(value)}
    return {
        name: (MARGIN * low, MARGIN * high) if name in heads else (low, high) for name, (low, high) in ranges.items()
    }


def _is_vector(value: ir.Value) -> bool:
    """Whether a sample has one number per channel in it."""
    return value.shape is not None and len(value.shape) >= 2 and all(size == 1 for size in value.shape[2:])
