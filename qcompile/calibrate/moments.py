"""A second calibration run, for second moments of what layers multiply by their weights; memory that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from qcompile.calibrate.runner import Progress
from qcompile.pipeline import EXTREMES, OBSERVED, Feed
from qcompile.quant import Patches, SecondMoment
from qcompile.runtime import ONE_THREAD, Runtime, Session

SAMPLES = 32
"""Feeds that are run at most; weights fitted to half as many left a detector half a decibel worse."""

POSITIONS = 256
"""Patches of one feed that enter a moment: neighbours are much alike, more feeds say more than more of them."""

MOMENT_BYTES = 1 << 28
"""Memory for all moments together. The layers left out are those with the most terms in a sum, where rounding errors
average out best, and whose codes would take longest to find."""


class LayerInput(NamedTuple):
    """A value, and how a layer reads it."""

    value: str
    patches: Patches
    inner: int
    """K, terms of each of the layer's sums."""

    @property
    def moment_bytes(self) -> int:
        """Memory of its second moment."""
        return 4 * self.patches.groups * self.inner**2


def second_moments(
    model: ir.Model,
    layers: Mapping[str, LayerInput],
    feeds: Collection[Feed],
    *,
    runtime: Runtime = ONE_THREAD,
    progress: Progress | None = None,
) -> dict[str, SecondMoment]:
    """Second moments by layer name, from runs of `model`, whose outputs show the values.

    Layers that read a value alike share one moment. There is none for layers that no sample reaches, that are in bodies
    that iterate, that `MOMENT_BYTES` has no room for, or whose squares are too large for float32.

    Raises ModelError where the runtime refuses a feed.
    """
    session = Session(model, runtime)
    shown = [
        None if EXTREMES in value.metadata_props else value.metadata_props.get(OBSERVED, value.name or "")
        for value in model.graph.outputs
    ]
    moments = {layer: SecondMoment() for layer in _affordable(layers.values())}
    step = max(1, -(-len(feeds) // SAMPLES))
    total = -(-len(feeds) // step)
    for number, feed in enumerate(islice(feeds, None, None, step)):
        values = dict(feed) | dict(zip(shown, session.run(feed), strict=True))
        for layer, moment in moments.items():
            array = values.get(layer.value)
            if array is not None and array.size:
                moments[layer] = moment.observe(layer.patches.of(np.asarray(array, np.float32), POSITIONS))
        if progress is not None:
            progress("second moments", number + 1, total)
    useful = {layer: moment for layer, moment in moments.items() if moment.count and np.isfinite(moment.mean).all()}
    return {name: useful[layer] for name, layer in layers.items() if layer in useful}


def _affordable(layers: Collection[LayerInput]) -> list[LayerInput]:
    kept, left = [], MOMENT_BYTES
    for layer in sorted(dict.fromkeys(layers), key=lambda layer: layer.moment_bytes):
        left -= layer.moment_bytes
        if left < 0:
            break
        kept.append(layer)
    return kept
