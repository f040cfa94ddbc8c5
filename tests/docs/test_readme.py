"""Rule: what the README and docs/ show works.

In each document, from top to bottom, every line of its ```sh blocks is run and every ```python block is executed, in a
folder with `model.onnx` and `data/`; ```text blocks are outputs and are not run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import qcompile.models

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What make would do in a new .venv, done in this environment: None is "not here".
STAND_INS = {"make demo": "qcompile demo", "make test": None}


def blocks(document: Path) -> list[tuple[str, str]]:
    """Language and text of the fenced blocks that are to be run."""
    return re.findall(r"^```(sh|python)\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[list[str]]:
    """The command lines of a block as words, without comments; a `\\` at a line's end continues it."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        stand_in = STAND_INS.get(shlex.join(words), shlex.join(words))
        if stand_in:
            yield shlex.split(stand_in)


def run(words: list[str]) -> None:
    """Run a command of this environment; no shell, so what the documents say works in every shell."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    program = shutil.which(words[0], path=path)
    assert program, f"no such command: {words[0]}"
    result = subprocess.run([program, *words[1:]], env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert result.returncode == 0, f"{shlex.join(words)}\n{result.stdout}{result.stderr}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a reader's folder: their `model.onnx`, and calibration feeds in `data/`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(qcompile.models.path("residual"), "model.onnx")
    Path("data").mkdir()
    for number, feed in enumerate(islice(qcompile.models.calibration("residual"), 32)):
        np.savez(f"data/{number:03}.npz", image=feed["image"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.usefixtures("reader")
def test_document_does_what_it_says(document: Path) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for language, text in blocks(document):
        if language == "python":
            exec(compile(text, str(document), "exec"), namespace)
        else:
            for words in commands(text):
                run(words)


def test_readme_shows_how() -> None:
    assert {language for language, _ in blocks(ROOT / "README.md")} == {"sh", "python"}


def test_make_has_the_targets_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{command.removeprefix('make ')}:" in makefile for command in STAND_INS)


def test_commands_are_read_as_written() -> None:
    block = "make demo   # a comment\nmake test\n\nqcompile model.onnx \\\n  --exclude 'a b'\n"
    assert list(commands(block)) == [["qcompile", "demo"], ["qcompile", "model.onnx", "--exclude", "a b"]]
