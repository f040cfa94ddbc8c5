"""Benching from the command line: the table, the JSON, and what cannot be benched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from click.testing import Result

Run = Callable[..., Result]

SAME = ("bench", "model.onnx", "model.onnx", "--rounds", "1")

pytestmark = pytest.mark.usefixtures("folder")


def test_table_and_json_say_the_same(qcompile_: Run) -> None:
    result = qcompile_(*SAME, "--data", "data", "--batch", "1,2", "--json", "facts.json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(Path("facts.json").read_text(encoding="utf-8"))
    assert (facts["fp32"], facts["int8"], facts["feed"], facts["rounds"]) == ("model.onnx", "model.onnx", "data", 1)
    lines = result.stdout.splitlines()
    assert lines[0].split() == [
        "threads",
        "batch",
        "model",
        "median",
        "ms",
        "p90",
        "ms",
        "samples/s",
        "speed",
        "rounds",
    ]
    for line, row in zip(lines[1:7], facts["timings"], strict=True):
        assert f"{row['model']} " in line
        assert f"{row['median_ms']:.3f} " in line
    assert [row["batch"] for row in facts["timings"]] == [1, 1, 1, 2, 2, 2]
    assert lines[9].split()[0] == facts["ops"][0]["op_type"] == "Conv"
    facts_begin = next(number for number, line in enumerate(lines) if line.startswith("size"))
    labels = [line[:10].strip() for line in lines[facts_begin:]]
    assert [label for label in labels if label] == ["size", "memory", "measured", "with", "speed", "speed"]
    assert lines[-1].endswith(")")
    assert "at threads 1, batch 2 (fp32 against itself: " in lines[-1]


def test_json_on_stdout_stands_alone(qcompile_: Run) -> None:
    """And without data: a sample is made up, in the shape that is asked for."""
    result = qcompile_(*SAME, "--input-shape", "image=2,1,32,32", "--json", "-", "-q")
    facts = json.loads(result.stdout)
    assert (facts["feed"], [t["model"] for t in facts["timings"]]) == ("synthetic", ["fp32", "fp32 again", "int8"])
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.onnx", "nope.onnx"], "error: no model in nope.onnx"),
        (["model.onnx", "other.onnx"], "error: inputs differ between model.onnx ('image') and other.onnx ('x')"),
        (["other.onnx", "other.onnx", "--batch", "2"], "error: no open batch axis to put 2 samples on"),
        (["model.onnx", "model.onnx", "--data", "gone"], "error: no data at gone (no such file or folder)"),
        (
            ["model.onnx", "model.onnx", "--custom-op-library", "gone.so"],
            "error: no custom operator library at gone.so",
        ),
        (["model.onnx", "model.onnx", "--json", "no/facts.json"], "error: cannot write no"),
        (
            ["text.onnx", "text.onnx"],
            "error: no synthetic values for input 'x' (a sequence or an optional); give --data",
        ),
    ],
)
def test_what_cannot_be_benched_is_one_line(words: list[str], said: str, qcompile_: Run) -> None:
    for name, kind in (("other", "float[1,4]"), ("text", "seq(float[4])")):
        head = '<ir_version: 10, opset_import: ["": 21]> g'
        onnx.save(onnx.parser.parse_model(f"{head} ({kind} x) => ({kind} y) {{ y = Identity(x) }}"), f"{name}.onnx")
    result = qcompile_("bench", *words, "-q")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(said)
