"""The minimum cut of a network: which vertices stay with the source when the cheapest edges are cut.

Dinic 1970, "Algorithm for Solution of a Problem of Maximum Flow in a Network with Power Estimation".
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterator
from itertools import pairwise

Vertex = Hashable

_NOTHING = 1e-9
"""Capacity that counts as none: what is left of a flow after rounding."""


class Network:
    """Directed edges with capacities; an edge added twice counts once, with the larger capacity."""

    def __init__(self) -> None:
        self._left: dict[Vertex, dict[Vertex, float]] = {}

    def add(self, source: Vertex, target: Vertex, capacity: float = math.inf) -> None:
        """Add an edge."""
        edges = self._left.setdefault(source, {})
        edges[target] = max(capacity, edges.get(target, 0.0))
        self._left.setdefault(target, {}).setdefault(source, 0.0)

    def cut(self, source: Vertex, sink: Vertex) -> set[Vertex]:
        """The vertices on the source's side of a minimum cut, as few as there are. Uses the network up."""
        while sink in (level := self._levels(source)):
            tried = {vertex: iter(edges) for vertex, edges in self._left.items()}
            while path := self._path(source, sink, level, tried):
                steps = list(pairwise(path))
                flow = min(self._left[a][b] for a, b in steps)
                for a, b in steps:
                    self._left[a][b] -= flow
                    self._left[b][a] += flow
        return set(level)

    def _levels(self, source: Vertex) -> dict[Vertex, int]:
        """Distance from the source of everything that it can still reach."""
        level = {source: 0}
        queue = deque([source])
        while queue:
            vertex = queue.popleft()
            for after, left in self._left.get(vertex, {}).items():
                if left > _NOTHING and after not in level:
                    level[after] = level[vertex] + 1
                    queue.append(after)
        return level

    def _path(
        self, source: Vertex, sink: Vertex, level: dict[Vertex, int], tried: dict[Vertex, Iterator[Vertex]]
    ) -> list[Vertex]:
        """A path from level to level along edges that are not used up; empty if there is none left."""
        path = [source]
        while path and path[-1] != sink:
            vertex = path[-1]
            for after in tried[vertex]:
                if self._left[vertex][after] > _NOTHING and level.get(after) == level[vertex] + 1:
                    path.append(after)
                    break
            else:
                path.pop()
                if path:
                    level[vertex] = -1
        return path
