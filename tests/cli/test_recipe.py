"""Recipes and metrics on the command line of compile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("folder")

COMPILE = ("model.onnx", "--calib", "data", "--effort", "fast")
RECIPE = """\
[[rule]]
op = "Conv"
granularity = "per-tensor"
symmetric = true

[[rule]]
op = "Gemm"
precision = "float"
"""
TASK = """
import numpy as np

def mean_logit(run):
    with np.load("data/0.npz") as sample:
        return abs(run({"image": sample["image"]})[0]).mean()
"""


def test_rules_decide_and_say_so(qcompile_: Run) -> None:
    Path("rules.toml").write_text(RECIPE)
    result = qcompile_(*COMPILE, "--recipe", "rules.toml", "--save-plan", "plan.json")
    assert result.exit_code == 0
    assert "a rule of the recipe keeps it float" in result.stdout
    plan = json.loads(Path("plan.json").read_text())
    kept = {name: entry["detail"] for name, entry in plan["nodes"].items() if entry.get("reason") == "recipe"}
    assert list(kept.values()) == ["rules.toml:8"]
    convolutions = [weight for weight in plan["weights"] if weight["node"].endswith("/Conv")]
    assert convolutions
    assert all(isinstance(weight["scale"], float) for weight in convolutions)


def test_a_line_of_a_plan_is_a_rule(qcompile_: Run) -> None:
    assert qcompile_(*COMPILE, "--save-plan", "plan.json", "-q").exit_code == 0
    text = Path("plan.json").read_text()
    begin = text.index('  "/8/Gemm": {')
    line = text[begin : text.index("}", begin)].replace("integer-to-float", "float").replace('"integer"', '"float"')
    Path("rules.toml").write_text(f"[[rule]]\nplan = '''\n{line}}},\n'''\n")
    words = (*COMPILE, "--recipe", "rules.toml", "--json", "-")
    groups = json.loads(qcompile_(*words).stdout)["stayed_float"]
    assert ["/8/Gemm"] in [[node["name"] for node in group["nodes"]] for group in groups if group["code"] == "recipe"]


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ("[[rule]]\nskip = yes", "error: no TOML in rules.toml:2 (Invalid value); mend that line\n"),
        (
            "\n[[rule]]\nname = 'gone'\nskip = true",
            "error: no compute node matches the rule in rules.toml:2 (name gone); see the names with --save-plan\n",
        ),
    ],
)
def test_a_mistake_is_one_line(recipe: str, line: str, qcompile_: Run) -> None:
    Path("rules.toml").write_text(recipe)
    result = qcompile_(*COMPILE, "--recipe", "rules.toml", "-q")
    assert (result.exit_code, result.stderr) == (1, line)
    assert not Path("model.int8.onnx").exists()


def test_a_plan_leaves_nothing_to_rule(qcompile_: Run) -> None:
    Path("rules.toml").write_text(RECIPE)
    assert qcompile_(*COMPILE, "--save-plan", "plan.json", "-q").exit_code == 0
    result = qcompile_(*COMPILE, "--recipe", "rules.toml", "--plan", "plan.json", "-q")
    assert (result.exit_code, result.stderr.startswith("error: a plan leaves nothing to rule")) == (1, True)


def test_the_loss_of_a_metric_is_a_budget(qcompile_: Run) -> None:
    Path("task.py").write_text(TASK)
    words = (*COMPILE, "--metric", "task.py:mean_logit", "--max-loss")
    result = qcompile_(*words, "50", "--json", "facts.json")
    assert result.exit_code == 0
    assert "\nmetric    task.py:mean_logit: " in result.stdout
    assert json.loads(Path("facts.json").read_text())["metric"]["max_loss_pct"] == 50
    Path("model.int8.onnx").unlink()
    result = qcompile_(*words, "-1000", "-q")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: task.py:mean_logit loses ")
    assert result.stderr.endswith("; model.int8.onnx is written\n")
    assert Path("model.int8.onnx").exists()


def test_a_metric_that_is_not_there_is_said_before_the_work(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "gone", "--metric", "task.py:f", "-q")
    assert result.stderr.startswith("error: no metric in task.py:f (FileNotFoundError")
