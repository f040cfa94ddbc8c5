"""Comparing two models from the command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def models(qcompile_: Run) -> list[str]:
    assert qcompile_("model.onnx", "--calib", "data", "-q").exit_code == 0
    return ["model.onnx", "model.int8.onnx"]


def test_table_and_verdict(models: list[str], qcompile_: Run) -> None:
    result = qcompile_("validate", *models, "--data", "data", "--min-sqnr", "5", "--min-agreement", "50")
    title, row, verdict = result.stdout.splitlines()
    assert result.exit_code == 0
    assert title.split() == ["output", "SQNR", "cosine", "max", "abs", "agreement"]
    assert row.startswith("logits ")
    assert verdict.startswith("met: SQNR >= 5 dB and agreement >= 50.0%; the worst output is at ")
    assert verdict.endswith(" over 8 samples")


def test_json_says_the_same(models: list[str], qcompile_: Run) -> None:
    facts = json.loads(qcompile_("validate", *models, "--data", "data", "--max-samples", "4", "--json", "-").stdout)
    assert (facts["reference"], facts["candidate"], facts["samples"]) == (*models, 4)
    assert facts["outputs"][0]["sqnr_db"] == facts["sqnr_db"]


def test_below_the_budget_is_exit_3(models: list[str], qcompile_: Run) -> None:
    result = qcompile_("validate", *models, "--data", "data", "--min-sqnr", "200", "-q")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error: SQNR of output 'logits' is ")


def test_a_model_is_exactly_itself(qcompile_: Run) -> None:
    shutil.copy("model.onnx", "same.onnx")
    result = qcompile_("validate", "model.onnx", "same.onnx", "--data", "data", "--min-sqnr", "1000")
    assert result.exit_code == 0
    assert " exact " in result.stdout
    assert result.stdout.endswith("every output is exactly the same over 8 samples\n")


@pytest.mark.parametrize("option", ["--min-sqnr", "--min-agreement"])
def test_nan_is_no_budget(option: str, qcompile_: Run) -> None:
    result = qcompile_("validate", "model.onnx", "model.onnx", "--data", "data", option, "nan")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': nan is no number to compare with" in result.stderr


def test_json_that_cannot_be_written_is_said_before_the_work(qcompile_: Run) -> None:
    result = qcompile_("validate", "nope.onnx", "nope.onnx", "--data", "data", "--json", "no/facts.json")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: cannot write no/facts.json (no folder no); name another place with --json\n".replace(
            "no/", f"no{os.sep}"
        ),
    )


@pytest.mark.parametrize("pair", [("model.onnx", "nope.onnx"), ("nope.onnx", "model.onnx")])
def test_missing_model_is_one_line(pair: tuple[str, str], qcompile_: Run) -> None:
    result = qcompile_("validate", *pair, "--data", "data", "-q")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no model in nope.onnx")
    assert not Path("nope.onnx").exists()


TASK = """
import numpy as np

def mean_logit(run):
    with np.load("data/0.npz") as sample:
        return abs(run({"image": sample["image"]})[0]).mean()
"""


def test_a_metric_of_ones_own(models: list[str], qcompile_: Run) -> None:
    Path("task.py").write_text(TASK)
    words = ("validate", *models, "--data", "data", "--metric", "task.py:mean_logit")
    result = qcompile_(*words, "--max-loss", "90")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-2].startswith("metric    task.py:mean_logit: ")
    assert result.stdout.splitlines()[-1].startswith("met: loss <= 90 %; the worst output is at ")
    result = qcompile_(*words, "--max-loss", "-1000", "-q")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: task.py:mean_logit loses ")
    facts = json.loads(qcompile_(*words, "--json", "-").stdout)
    assert facts["metric"]["max_loss_pct"] is None
    assert facts["misses"] == []


def test_a_loss_of_nothing_is_no_budget(qcompile_: Run) -> None:
    result = qcompile_("validate", "model.onnx", "model.onnx", "--data", "data", "--max-loss", "1")
    assert result.exit_code == 2
    assert "--max-loss needs --metric" in result.stderr


def test_a_metric_that_is_not_there_is_one_line(qcompile_: Run) -> None:
    result = qcompile_("validate", "model.onnx", "model.onnx", "--data", "data", "--metric", "gone.py:f", "-q")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("error: no metric in gone.py:f (")
