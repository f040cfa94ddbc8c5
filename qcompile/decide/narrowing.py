"""Which ranges are worth narrowing: rare large numbers may matter less to the outputs than fine steps."""

from __future__ import annotations

from qcompile.decide.placement import Placement
from qcompile.verify import Sensitivity

HALF, QUARTER, MOST_OF_IT = 0.5, 0.25, 0.84
"""Shares of a range that are tried: from a value alone, no reading knows what its readers make of its tails. A quarter
where half of it helps, else most of it."""

WORTH_CUTTING_DB = 1.0
"""What a narrower range must gain: tails of other data may be longer, so more than noise."""

LEAST = 1 - 10 ** (-WORTH_CUTTING_DB / 10)
"""Share of the error that a value must hold for its range to be tried: of less, there is not as much to gain."""

MOST = 4
"""How many ranges are tried, those of the worst values first."""


def worth_narrowing(placement: Placement, found: Sensitivity) -> list[str]:
    """The values that those whose own 8 bits cost much take their ranges from, the worst first."""
    costly = (s.gate.value for s in found.shares if not s.gate.of_weights and s.share >= LEAST)
    sources = dict.fromkeys(placement.groups[value] for value in costly if value in placement.groups)
    return list(sources)[:MOST]
