"""Values whose channels a lowering laid out in another order, with a note that tells the order."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

EMPTY = -1
"""Stands in a layout for a channel that nobody reads."""

_KEY = "qcompile.channels"


def lay_out(value: ir.Value, layout: np.ndarray) -> None:
    """Note that the value's channels now are those of the layout: the old index of each, or `EMPTY`."""
    before = value.meta.get(_KEY)
    value.meta[_KEY] = layout if before is None else np.where(layout == EMPTY, EMPTY, before[np.maximum(layout, 0)])
    if value.shape is not None:
        value.shape = ir.Shape([*value.shape[:1], len(layout), *value.shape[2:]])


def as_first_laid_out(value: ir.Value, array: np.ndarray) -> np.ndarray:
    """What the value holds, with its channels (axis 1) in the order that they had before any lowering."""
    layout = value.meta.get(_KEY)
    if layout is None:
        return array
    places = np.flatnonzero(layout != EMPTY)
    return array[:, places[np.argsort(layout[places])]]
