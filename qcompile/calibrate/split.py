"""Samples that calibrate and samples that are held back to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qcompile.calibrate.sources import Feeds
from qcompile.pipeline import Feed

EVERY = 8
"""Every eighth feed is held back; with fewer than eight, all feeds serve for both."""


@dataclass(frozen=True)
class FeedSubset:
    """Some of the feeds, read again at every pass; never more than one in memory."""

    feeds: Sequence[Feed]
    picked: Sequence[int]

    def __iter__(self) -> Iterator[Feed]:
        return (self.feeds[number] for number in self.picked)

    def __len__(self) -> int:
        return len(self.picked)

    def __contains__(self, feed: object) -> bool:
        return any(feed is one for one in self)

    def where(self, index: int) -> str:
        """Which of the data a feed is, for messages."""
        number = self.picked[index]
        return self.feeds.where(number) if isinstance(self.feeds, Feeds) else f"sample {number}"


def split_feeds(feeds: Sequence[Feed]) -> tuple[FeedSubset, FeedSubset]:
    """(for calibration, held back)."""
    every = range(len(feeds))
    if len(feeds) < EVERY:
        return FeedSubset(feeds, every), FeedSubset(feeds, every)
    return (
        FeedSubset(feeds, [n for n in every if n % EVERY != EVERY - 1]),
        FeedSubset(feeds, every[EVERY - 1 :: EVERY]),
    )
