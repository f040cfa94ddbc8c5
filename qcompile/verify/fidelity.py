"""How near the outputs of one model are to another's."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from qcompile.calibrate import Progress
from qcompile.errors import ModelError
from qcompile.quant import Comparison, OutputFidelity
from qcompile.runtime import Feed, Runs

REFERENCE_CACHE = 64 * 2**20
"""Bytes of reference outputs that are kept between comparisons; those of further feeds are computed again."""


class Reference:
    """The float model's outputs on some feeds, to compare candidates with; bounded memory, whatever the feeds."""

    def __init__(self, session: Runs, feeds: Collection[Feed]) -> None:
        self._session, self._feeds = session, feeds
        self._kept: dict[int, list[np.ndarray]] = {}
        self._bytes = 0

    def compare(self, candidate: Runs, progress: Progress | None = None) -> tuple[OutputFidelity, ...]:
        """Fidelity of every output of the candidate over all feeds."""
        comparison = Comparison(self._session.outputs)
        for number, feed in enumerate(self._feeds):
            comparison.update(self._outputs(number, feed), candidate.run(feed))
            if progress is not None:
                progress("compare", number + 1, len(self._feeds))
        return comparison.result()

    def _outputs(self, number: int, feed: Feed) -> list[np.ndarray]:
        if number in self._kept:
            return self._kept[number]
        outputs = self._session.run(feed)
        size = sum(output.nbytes for output in outputs if isinstance(output, np.ndarray))
        if self._bytes + size <= REFERENCE_CACHE:
            self._kept[number] = outputs
            self._bytes += size
        return outputs


def compare(
    reference: Runs, candidate: Runs, feeds: Collection[Feed], progress: Progress | None = None
) -> tuple[OutputFidelity, ...]:
    """Fidelity of every output over all feeds; memory does not grow with their number."""
    return Reference(reference, feeds).compare(candidate, progress)


def check_finite(fidelity: tuple[OutputFidelity, ...]) -> None:
    """Raises ModelError if an output of the result was not finite where the float model's is."""
    broken = next((output.name for output in fidelity if not math.isfinite(output.max_abs)), None)
    if broken is not None:
        raise ModelError(
            f"output {broken!r} of the result is not finite where the float model's is; nothing was written"
        )
