"""How near the outputs of one model are to another's."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from qcompile.errors import ModelError
from qcompile.quant import Comparison, OutputFidelity
from qcompile.runtime import Feed, Session


def compare(
    reference: Session,
    candidate: Session,
    feeds: Collection[Feed],
    progress: Callable[[str, int, int | None], None] | None = None,
) -> tuple[OutputFidelity, ...]:
    """Fidelity of every output over all feeds; memory does not grow with their number."""
    comparison = Comparison(reference.outputs)
    for number, feed in enumerate(feeds):
        comparison.update(reference.run(feed), candidate.run(feed))
        if progress is not None:
            progress("compare", number + 1, len(feeds))
    return comparison.result()


def check_finite(fidelity: tuple[OutputFidelity, ...]) -> None:
    """Raises ModelError if an output of the result was not finite where the float model's is."""
    broken = next((output.name for output in fidelity if not math.isfinite(output.max_abs)), None)
    if broken is not None:
        raise ModelError(
            f"output {broken!r} of the result is not finite where the float model's is; nothing was written"
        )
