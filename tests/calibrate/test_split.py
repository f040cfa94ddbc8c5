"""Samples held back to measure on, and samples left to calibrate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from qcompile.calibrate import split_feeds

Feed = dict[str, np.ndarray]


def numbered(count: int) -> list[Feed]:
    return [{"x": np.array(number)} for number in range(count)]


def numbers(feeds: Any) -> list[int]:
    return [int(feed["x"]) for feed in feeds]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_fewer_than_eight_serve_for_both(count: int) -> None:
    calibration, held_back = split_feeds(numbered(count))
    assert numbers(calibration) == numbers(held_back) == list(range(count))


@pytest.mark.parametrize(("count", "held"), [(8, [7]), (15, [7]), (16, [7, 15]), (26, [7, 15, 23])])
def test_every_eighth_is_held_back(count: int, held: list[int]) -> None:
    calibration, held_back = split_feeds(numbered(count))
    assert numbers(held_back) == held
    assert numbers(calibration) == [number for number in range(count) if number not in held]
    assert (len(calibration), len(held_back)) == (count - len(held), len(held))


def test_each_feed_is_read_when_it_is_its_turn() -> None:
    """And again at every pass: nothing is kept."""

    class Counting(Sequence[Feed]):
        """Notes what was read."""

        read: list[int]

        def __init__(self) -> None:
            self.read = []

        def __len__(self) -> int:
            return 16

        def __getitem__(self, index: Any) -> Any:
            self.read.append(index)
            return {"x": np.array(index)}

    feeds = Counting()
    _, held_back = split_feeds(feeds)
    assert feeds.read == []
    first: Iterator[Any] = iter(held_back)
    next(first)
    assert feeds.read == [7]
    assert numbers(held_back) == numbers(held_back) == [7, 15]
    assert feeds.read == [7, 7, 15, 7, 15]
