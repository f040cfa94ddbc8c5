"""What a hard case is: a model, data for it, and what of its outputs is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.networks import Feed, Network

Parts = dict[str, np.ndarray]


def whole_outputs(outputs: Sequence[np.ndarray]) -> Parts:
    """Every output as it is, by number."""
    return {f"output {number}": output for number, output in enumerate(outputs)}


@dataclass(frozen=True)
class HardCase:
    """A generated model that is hard to quantize."""

    network: Network
    calibration: int = 32
    """Samples to calibrate on."""
    fresh: int = 16
    """Other samples, to measure the error on."""
    sequence: Mapping[str, str] = field(default_factory=dict)
    """States: this output of one sample feeds that input of the next."""
    first_states: Feed = field(default_factory=dict)
    parts: Callable[[Sequence[np.ndarray]], Parts] = whole_outputs
    """What the outputs stand for, each part to be judged by its own size."""
