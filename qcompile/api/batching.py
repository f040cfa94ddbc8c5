"""One sample, several times in one run: the feed repeated along the batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qcompile.calibrate import InputSpec
from qcompile.errors import ModelError
from qcompile.runtime import Feed


def tiled(feed: Feed, specs: Sequence[InputSpec], copies: int) -> Feed:
    """The feed with so many copies of itself along the batch axis, in each input that has it.

    The batch axis is the first axis of the first input where that is open, and every axis of the same symbol; where it
    has none, the other open first axes. Raises ModelError where there is none, or an input of it is no tensor.
    """
    if copies == 1:
        return feed
    axes = _batch_axes(specs)
    if not axes or any(not isinstance(feed[name], np.ndarray) for name in axes):
        raise ModelError(f"no open batch axis to put {copies} samples on (batch {copies}); use batch 1")
    return {name: _repeated(value, axes.get(name), copies) for name, value in feed.items()}


def _batch_axes(specs: Sequence[InputSpec]) -> dict[str, int]:
    """The axis by input name, where there is one."""
    opened = [spec for spec in specs if spec.shape and not isinstance(spec.shape[0], int)]
    if not opened:
        return {}
    symbol = opened[0].shape[0] if opened[0].shape else None
    if symbol is None:
        return {spec.name: 0 for spec in opened if spec.shape and spec.shape[0] is None}
    return {spec.name: spec.shape.index(symbol) for spec in specs if spec.shape and symbol in spec.shape}


def _repeated(value: Any, axis: int | None, copies: int) -> Any:
    return value if axis is None else np.concatenate([value] * copies, axis=axis)
