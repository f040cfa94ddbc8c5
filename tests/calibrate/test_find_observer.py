"""Observers by name, also those of installed packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcompile.calibrate.observers import find_observer, observer_names
from qcompile.errors import CalibrationError
from qcompile.quant import OBSERVERS, MinMaxObserver


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package on the path that registers an observer, something that is none, and one under a built-in's name."""
    info = tmp_path / "more-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[qcompile.observers]\nwide = more_observers:Wide\nnone = more_observers:NONE\nmse = more_observers:Wide\n"
    )
    (tmp_path / "more_observers.py").write_text(
        "from qcompile.quant import MinMaxObserver\nclass Wide(MinMaxObserver): name = 'wide'\nNONE = object()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", ["min-max", "percentile", "mse", "entropy"])
def test_built_in(name: str) -> None:
    assert find_observer(name) is OBSERVERS[name]
    assert find_observer(name).name == name


def test_unknown_lists_what_there_is() -> None:
    with pytest.raises(CalibrationError, match=r"^no observer 'median'; there are min-max, percentile, mse, entropy\b"):
        find_observer("median")


@pytest.mark.usefixtures("installed")
def test_registered() -> None:
    found = find_observer("wide")
    assert issubclass(found, MinMaxObserver)
    assert found.name == "wide"
    assert observer_names()[: len(OBSERVERS)] == list(OBSERVERS)
    assert {"wide", "none"} <= set(observer_names())


@pytest.mark.usefixtures("installed")
def test_a_built_in_cannot_be_replaced() -> None:
    assert find_observer("mse") is OBSERVERS["mse"]
    assert observer_names().count("mse") == 1


@pytest.mark.usefixtures("installed")
def test_registered_but_no_observer() -> None:
    with pytest.raises(CalibrationError, match=r"^no observer in entry point 'none' \(more_observers:NONE is no "):
        find_observer("none")
