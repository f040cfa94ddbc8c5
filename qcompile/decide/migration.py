"""Repairs that scale channels: the plan is made anew for the model whose scales have moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qcompile.decide.drafting import Drafter, Step
from qcompile.decide.equalisation import Migrations, equalised, smoothed
from qcompile.decide.placement import Placement
from qcompile.decide.scale_links import ScaleLink
from qcompile.plan import Plan

Mover = Callable[[Sequence[ScaleLink], Plan], Migrations]


def scale_migrations(drafter: Drafter, links: Sequence[ScaleLink]) -> list[Step]:
    """Scales moved by the data, then by the weights alone; each without and with corrected biases.

    The plans begin anew, so these repairs come before any other. `links` are those of the drafter's model.
    """
    if not links:
        return []
    by_weights = _step(drafter, links, "equalised", lambda seen, plan: equalised(seen))
    by_data = _step(drafter, links, "smoothed", lambda seen, plan: smoothed(seen, plan, drafter.seen.ranges))
    return [*drafter.without_and_with_bias(by_data), *drafter.without_and_with_bias(by_weights)]


def range_axes(placement: Placement, links: Sequence[ScaleLink]) -> dict[str, int]:
    """Channel axis of every value whose range by channel is needed, by value name."""
    wanted = {*placement.observed, *(value.name or "" for link in links for value in link.read)}
    return {name: axis for link in links for name, axis in link.axes.items() if name in wanted}


def _step(drafter: Drafter, links: Sequence[ScaleLink], how: str, move: Mover) -> Step:
    def step(placement: Placement, plan: Plan) -> Plan | None:
        axes = range_axes(placement, links)
        seen = [link for link in links if all(name in drafter.seen.ranges for name in link.axes if name in axes)]
        migrations = {} if plan.migrations else move(seen, plan)
        if not migrations:
            return None
        fresh = drafter.plain(placement, plan.notes["observer"], migrations)
        return replace(fresh, notes=fresh.notes | {"scales": how})

    return step
