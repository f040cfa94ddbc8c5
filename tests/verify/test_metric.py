"""The user's metric: where it comes from, what it gives, and the one line that its mistakes get."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qcompile.errors import CalibrationError, ModelError
from qcompile.runtime import Feed
from qcompile.verify import MetricResult, find_metric


class Constant:
    """A model that gives one number, whatever it is fed."""

    def __init__(self, value: float) -> None:
        self.outputs = ["y"]
        self.value = value

    def run(self, feed: Feed) -> list[Any]:
        if not feed:
            raise ModelError("no input")
        return [np.asarray(self.value)]


def first_output(run: Callable[[Feed], list[Any]]) -> float:
    return run({"x": np.zeros(1)})[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("reference", "candidate", "loss"),
    [
        (0.8, 0.792, 1.0),
        (0.8, 0.8, 0.0),
        (0.5, 0.75, -50.0),
        (-2.0, -2.1, 5.0),  # a negated error
        (0.0, 0.0, 0.0),
        (0.0, 0.5, 0.0),
        (0.0, -0.5, math.inf),
    ],
)
def test_loss_is_relative_to_the_float_model(reference: float, candidate: float, loss: float) -> None:
    result = find_metric(first_output).compare(Constant(reference), Constant(candidate))
    assert result == MetricResult("first_output", reference, candidate)
    assert result.loss_pct == pytest.approx(loss)


def test_a_metric_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text("def twice(run):\n    return 2 * float(run({'x': 0})[0])\n")
    metric = find_metric(f"{tmp_path / 'task.py'}:twice")
    assert metric.name.endswith("task.py:twice")
    assert metric.of(Constant(3.0)) == 6.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["task.py"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("accuracy", r"^no metric in 'accuracy' \(it is no FILE\.py:FUNC\); name a function that takes `run` and"),
        ("gone.py:f", r"^no metric in gone\.py:f \(FileNotFoundError: .*\); check the path$"),
        ("task.py:f", r"^no function 'f' in task\.py; define one that takes `run` and returns a number$"),
        ("task.py:number", r"^no function 'number' in task\.py; "),
        ("broken.py:f", r"^broken\.py failed \(ZeroDivisionError: division by zero\)$"),
    ],
)
def test_no_metric_is_one_line(text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.py").write_text("number = 3\n")
    Path("broken.py").write_text("1 / 0\n")
    with pytest.raises(CalibrationError, match=line):
        find_metric(text)


def raises(run: object) -> float:
    raise KeyError("labels")


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (raises, r"^metric raises failed \(KeyError: 'labels'\); mend it$"),
        (lambda run: None, r"^metric <lambda> failed \(TypeError: .*\); mend it$"),
        (lambda run: math.nan, r"^metric <lambda> gave nan \(no figure to compare\); return a finite number$"),
    ],
)
def test_a_metric_that_fails_is_one_line(function: Callable[[object], float], line: str) -> None:
    with pytest.raises(CalibrationError, match=line):
        find_metric(function).of(Constant(1.0))


def test_what_the_runtime_refuses_is_its_own_line() -> None:
    with pytest.raises(ModelError, match=r"^no input$"):
        find_metric(lambda run: run({})[0]).of(Constant(1.0))


def test_no_function_is_no_metric() -> None:
    with pytest.raises(CalibrationError, match=r"^metric is 3 \(no function\); give one"):
        find_metric(3)  # type: ignore[arg-type]
