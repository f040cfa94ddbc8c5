"""Substitutes that make the file larger than it may be are left out, the first ones kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from qcompile.decide import without_growth
from qcompile.plan import Plan

PLAN = Plan("cpu", substitutes=("fold", "pad", "widen"))


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"fold": 200}, ("fold", "pad", "widen")),  # 0.4 of the float model
        ({"fold": 250}, ("pad", "widen")),
        ({"fold": 100, "pad": 100, "widen": 50}, ("fold", "pad")),
        ({"pad": 300, "widen": 150}, ("fold", "widen")),
    ],
)
def test_as_many_as_keep_the_file_small(more: Mapping[str, int], kept: tuple[str, ...]) -> None:
    def file_bytes(plan: Plan) -> int:
        return 1000 + sum(more.get(name, 0) for name in plan.substitutes)

    assert without_growth(PLAN, file_bytes, 3000).substitutes == kept


def test_a_tenth_more_is_borne_where_the_file_is_not_small_without() -> None:
    plan = without_growth(PLAN, lambda plan: 1900 + 60 * len(plan.substitutes), 3000)
    assert plan == PLAN


def test_a_small_file_is_measured_once() -> None:
    measured = []

    def file_bytes(plan: Plan) -> int:
        measured.append(plan)
        return 1000

    assert without_growth(PLAN, file_bytes, 3000) == PLAN
    assert measured == [PLAN]
