"""Calibration: data in any form, the run that observes, samples held back."""

from __future__ import annotations

from qcompile.calibrate.implied import unknown_inputs
from qcompile.calibrate.moments import LayerInput, second_moments
from qcompile.calibrate.observers import find_observer, observer_names
from qcompile.calibrate.runner import Observations, Progress, observe
from qcompile.calibrate.sequence import carry, stateless_specs
from qcompile.calibrate.sources import Feeds, InputSpec, input_specs, open_feeds
from qcompile.calibrate.sources.python_file import named_function
from qcompile.calibrate.split import FeedSubset, split_feeds
from qcompile.calibrate.synthetic import synthetic_feeds

__all__ = [
    "FeedSubset",
    "Feeds",
    "InputSpec",
    "LayerInput",
    "Observations",
    "Progress",
    "carry",
    "find_observer",
    "input_specs",
    "named_function",
    "observe",
    "observer_names",
    "open_feeds",
    "second_moments",
    "split_feeds",
    "stateless_specs",
    "synthetic_feeds",
    "unknown_inputs",
]
