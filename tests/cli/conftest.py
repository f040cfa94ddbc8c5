"""A reader's folder, and the command line as a reader types it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import qcompile.models
from qcompile.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: `model.onnx`, and 8 calibration feeds in `data/`."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(qcompile.models.path("residual"), "model.onnx")
    Path("data").mkdir()
    for number, feed in enumerate(islice(qcompile.models.calibration("residual"), 8)):
        np.savez(f"data/{number}.npz", image=feed["image"])
    return tmp_path


@pytest.fixture
def qcompile_() -> Callable[..., Result]:
    """Run `qcompile WORDS...` in this process, with a form that is given: no test waits for the clock."""
    runner = CliRunner(env={"QCOMPILE_FORMAT": "qoperator"})
    return lambda *words: runner.invoke(main, list(words))
