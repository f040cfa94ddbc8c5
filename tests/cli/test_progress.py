"""Progress where there is no terminal: a few plain lines a phase."""

from __future__ import annotations

import pytest

from qcompile.cli.progress import progress


def test_plain_lines_are_few_and_even(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as callback:
        assert callback
        for done in range(129):
            callback("calibrate", done, 128)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [f"calibrate: {done}/128" for done in range(16, 129, 16)]


@pytest.mark.parametrize("total", [1, 3, 7, 10, 99, 1000])
def test_the_end_is_always_shown_once(total: int, capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as callback:
        assert callback
        for done in [*range(total + 1), total]:
            callback("verify", done, total)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 10
    assert lines.count(f"verify: {total}/{total}") == 1
    assert lines[-1] == f"verify: {total}/{total}"


def test_leaps_are_shown_where_they_land(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as callback:
        assert callback
        for done in (0, 32, 64, 128):
            callback("calibrate", done, 128)
    assert capsys.readouterr().err.splitlines() == ["calibrate: 32/128", "calibrate: 64/128", "calibrate: 128/128"]


def test_a_phase_without_total_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as callback:
        assert callback
        for done in range(5):
            callback("canonicalize", done, None)
    assert capsys.readouterr().err == "canonicalize\n"


def test_quiet_is_quiet() -> None:
    with progress(quiet=True) as callback:
        assert callback is None
