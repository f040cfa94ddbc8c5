"""Weights that stay below 16 bits in pairs, for targets that have CPUs which add them so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.decide.facts import node_facts
from qcompile.quant import QuantParams, may_saturate, unsaturated_scale
from qcompile.targets import OpEntry

Array = npt.NDArray[Any]


def unsaturated_params(node: ir.Node, entry: OpEntry, weight: Array, params: QuantParams) -> QuantParams:
    """Parameters of a weight, its scales raised in the channels where a pair would exceed 16 bits; at most twofold."""
    axes = _axes(node, entry)
    if axes is None:
        return params
    return QuantParams(unsaturated_scale(weight, params.scale, *axes), params.zero_point, params.axis)


def unsaturated_codes(node: ir.Node, entry: OpEntry, codes: Array, nearest: Array) -> Array:
    """Codes of a weight, rounded back to nearest in the pairs that would exceed 16 bits."""
    axes = _axes(node, entry)
    return codes if axes is None else np.where(may_saturate(codes, *axes), nearest, codes)


def _axes(node: ir.Node, entry: OpEntry) -> tuple[int, int] | None:
    """Axes of the outputs and of what is summed first; None where the kernel adds no pairs."""
    facts = node_facts(node)
    if entry.weight_axis is None or entry.inner_axis is None:
        return None
    inner = entry.inner_axis(facts)
    return None if inner is None else (entry.weight_axis(facts), inner)
