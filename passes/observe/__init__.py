"""Observers: what calibration sees."""

from __future__ import annotations

from qcompile.passes.observe.insert_observers import InsertObservers
from qcompile.passes.observe.remove_observers import RemoveObservers

__all__ = ["InsertObservers", "RemoveObservers"]
