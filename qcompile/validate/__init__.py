"""How near one model is to another."""

from __future__ import annotations

from qcompile.validate.metrics import Comparison, OutputFidelity

__all__ = ["Comparison", "OutputFidelity"]
