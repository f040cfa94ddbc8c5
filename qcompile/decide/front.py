"""The front of accuracy and latency: every form that was timed and that no other beats in both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FrontPoint:
    """One form of the model."""

    sqnr_db: float
    """Of the lowest output, on held-back samples."""
    speed: float
    """The float model's latency over its own."""
    integer_nodes: int
    """How many decided nodes compute on integers."""
    in_float: tuple[str, ...]
    """Nodes that stay float in it though the target could compute them on integers."""


def pareto(points: Iterable[FrontPoint]) -> tuple[FrontPoint, ...]:
    """The points that no other is as good as in both and better in one, the fastest first."""
    front: list[FrontPoint] = []
    for point in sorted(points, key=lambda p: (-p.speed, -p.sqnr_db)):
        if not front or point.sqnr_db > front[-1].sqnr_db:
            front.append(point)
    return tuple(front)
