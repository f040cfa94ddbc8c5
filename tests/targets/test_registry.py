"""Targets by name, also those of installed packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from qcompile.errors import TargetError
from qcompile.targets import find_target, target_names


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package on the path that registers a target, something that is none, and one under a built-in's name."""
    info = tmp_path / "more-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[qcompile.targets]\nboard = more_targets:BOARD\nnone = more_targets:NONE\ncpu = more_targets:BOARD\n"
    )
    (tmp_path / "more_targets.py").write_text(
        "from qcompile.targets import Target\nBOARD = Target('board', 'A board.', {}, ('qdq',))\nNONE = object()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", ["cpu", "x86-64", "x86-avx2", "x86-vnni", "x86-amx", "arm64", "xnnpack"])
def test_built_in(name: str) -> None:
    target = find_target(name)
    assert target.name == name
    assert target.description
    assert set(target.formats) <= {"qoperator", "qdq"}


def test_unknown_lists_what_there_is() -> None:
    with pytest.raises(TargetError, match=r"^no target 'abacus'; there are cpu, x86-64, .*\bxnnpack\b"):
        find_target("abacus")


@pytest.mark.usefixtures("installed")
def test_registered() -> None:
    assert find_target("board").formats == ("qdq",)
    assert {"board", "none"} <= set(target_names())


@pytest.mark.usefixtures("installed")
def test_a_built_in_cannot_be_replaced() -> None:
    assert find_target("cpu").name == "cpu"
    assert target_names().count("cpu") == 1


@pytest.mark.usefixtures("installed")
def test_registered_but_no_target() -> None:
    with pytest.raises(TargetError, match=r"^no target in entry point 'none' \(more_targets:NONE is no "):
        find_target("none")
