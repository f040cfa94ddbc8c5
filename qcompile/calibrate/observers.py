"""Observers by name: the built-in ones, and those that packages register under `qcompile.observers`."""

from __future__ import annotations

from importlib.metadata import entry_points

from qcompile.errors import CalibrationError
from qcompile.quant import OBSERVERS, Observer

ENTRY_POINT = "qcompile.observers"


def observer_names() -> list[str]:
    """Names of all observers, built-in ones first."""
    return [*OBSERVERS, *(point.name for point in entry_points(group=ENTRY_POINT) if point.name not in OBSERVERS)]


def find_observer(name: str) -> type[Observer]:
    """The observer class of this name, which is made without arguments.

    Raises CalibrationError, with the names that there are, if it is unknown or no Observer.
    """
    if name in OBSERVERS:
        return OBSERVERS[name]
    for point in entry_points(group=ENTRY_POINT, name=name):
        found = point.load()
        if not (isinstance(found, type) and issubclass(found, Observer)):
            raise CalibrationError(f"no observer in entry point {name!r} ({point.value} is no qcompile.quant.Observer)")
        return found
    raise CalibrationError(f"no observer {name!r}; there are {', '.join(observer_names())}")
