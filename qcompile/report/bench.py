"""The facts of a bench; their names are the keys of `bench --json`. `report.bench_text` shows them to people."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE, AGAIN, CANDIDATE = "fp32", "fp32 again", "int8"
"""What a timing is of: the first model, the same once more (what the machine's noise alone does), the second."""


@dataclass(frozen=True)
class Timing:
    """One model under one setting."""

    threads: int
    batch: int
    """Copies of the sample that one run takes."""
    model: str
    """`fp32`, `fp32 again` or `int8`."""
    median_ms: float
    """Latency of one run."""
    p90_ms: float
    samples_per_second: float
    speed: float
    """Latency of the first model over this one's: median of the rounds, each by its quickest runs."""
    slowest_round: float
    quickest_round: float
    """The least and the most of the rounds."""


@dataclass(frozen=True)
class OpTime:
    """What one kind of operator takes in one run of the optimised graph, of each model; 0 where it is not there."""

    op_type: str
    fp32_count: int
    fp32_us: float
    int8_count: int
    int8_us: float


@dataclass(frozen=True)
class BenchReport:
    """Two models side by side on one machine."""

    fp32: str
    int8: str
    feed: str
    """`data` or `synthetic`."""
    host: str
    onnxruntime: str
    rounds: int
    timings: tuple[Timing, ...]
    """For each number of threads and each batch: `fp32`, `fp32 again`, `int8`."""
    fp32_size: int
    int8_size: int
    """Bytes of the model, external data included."""
    fp32_memory: int | None
    int8_memory: int | None
    """Bytes that a fresh process grew by, at most, while it loaded and ran the model; None where it is not known."""
    ops: tuple[OpTime, ...]
    """Under the first setting, what takes longest first."""

    @property
    def speed(self) -> float:
        """Speed of the second model relative to the first, the lowest of all settings."""
        return min(timing.speed for timing in self.timings if timing.model == CANDIDATE)
