"""Calibration and validation data in all its forms: one file a form, `open_feeds` finds which."""

from __future__ import annotations

from qcompile.calibrate.sources.feeds import Feeds
from qcompile.calibrate.sources.opening import open_feeds
from qcompile.calibrate.sources.preprocess import Preprocess
from qcompile.calibrate.sources.spec import InputSpec, input_specs

__all__ = ["Feeds", "InputSpec", "Preprocess", "input_specs", "open_feeds"]
