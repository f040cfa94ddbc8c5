"""The front against its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qcompile.decide.front import FrontPoint, pareto

POINTS = st.lists(
    st.builds(FrontPoint, st.integers(0, 6).map(float), st.integers(1, 6).map(float), st.just(1), st.just(()))
)


@given(POINTS)
def test_what_is_left_is_what_nothing_beats(points: list[FrontPoint]) -> None:
    def is_beaten(point: FrontPoint) -> bool:
        return any(other.sqnr_db >= point.sqnr_db and other.speed >= point.speed and other != point for other in points)

    assert set(pareto(points)) == {point for point in points if not is_beaten(point)}
    speeds = [point.speed for point in pareto(points)]
    assert speeds == sorted(speeds, reverse=True)
