"""What is written: said before the work where it cannot be, and where it shows late, nothing is half done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Files = dict[str, bytes | None]

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and devices")


@pytest.fixture
def before(folder: Path) -> Files:
    """What is in the current folder: a model and data, an OUT and a plan of old, and a folder named like a model."""
    Path("out.onnx").write_bytes(b"old model")
    Path("plan.json").write_bytes(b"old plan")
    Path("folder.onnx").mkdir()
    return files()


def files() -> Files:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(Path().rglob("*"))}


@pytest.mark.parametrize("option", ["-o", "--save-plan", "--json"])
@pytest.mark.parametrize(("place", "why"), [("no/out.onnx", "no folder no"), ("folder.onnx", "it is a folder")])
def test_a_place_that_cannot_be_written_is_said_before_the_work(
    option: str, place: str, why: str, before: Files, qcompile_: Run
) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "-o", "out.onnx", option, place)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: cannot write {Path(place)} ({why}); name another place with {option}\n"
    assert files() == before


def test_a_plan_that_cannot_be_written_leaves_the_old_output(
    before: Files, qcompile_: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it shows only when it is written."""

    def full(partial: Path, target: Path) -> Path:
        if target.name == "plan.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return renamed(partial, target)

    renamed = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    result = qcompile_("model.onnx", "--calib", "data", "-o", "out.onnx", "--save-plan", "plan.json", "-q")
    assert result.stderr == "error: cannot write plan.json (No space left on device); name another place\n"
    assert files() == before


@posix
def test_a_loop_of_links_is_no_defect(before: Files, qcompile_: Run) -> None:
    Path("loop.json").symlink_to("loop.json")
    result = qcompile_("model.onnx", "--calib", "data", "-o", "out.onnx", "--json", "loop.json")
    assert (result.exit_code, Path("loop.json").is_file()) == (0, True)


@posix
@pytest.mark.parametrize("device", ["/dev/null", "/dev/stderr"])
def test_facts_go_to_devices(device: str, before: Files, qcompile_: Run) -> None:
    words = [sys.executable, "-m", "qcompile", "model.onnx", "--calib", "data", "-o", "out.onnx", "--json", device]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0
    assert ('"status": "compiled"' in ended.stderr) == (device == "/dev/stderr")
    assert Path("/dev/null").is_char_device()
