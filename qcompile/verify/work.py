"""How much arithmetic each node does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qcompile.runtime import Event

_RECURRENT = {"LSTM", "GRU", "RNN"}


def multiply_adds(events: Sequence[Event]) -> dict[str, int]:
    """Multiply-adds by node name, summed over the executions of a node; nodes without any are left out."""
    total: dict[str, int] = {}
    for event in events:
        macs = _macs(event)
        if macs:
            total[event.name] = total.get(event.name, 0) + macs
    return total


def _macs(event: Event) -> int:
    if not event.outputs or len(event.inputs) < 2:
        return 0
    x, w, y = event.inputs[0], event.inputs[1], event.outputs[0]
    if event.op_type == "Conv":
        return math.prod(y) * math.prod(w[1:])
    if event.op_type == "ConvTranspose":
        return math.prod(x) * math.prod(w[1:])
    if event.op_type == "Gemm":
        return math.prod(x) * y[1]  # whichever way the factors are transposed
    if event.op_type == "MatMul" and x:
        return math.prod(y) * x[-1]
    if event.op_type in _RECURRENT and len(event.inputs) > 2:
        return x[0] * x[1] * (math.prod(w) + math.prod(event.inputs[2]))
    return 0
