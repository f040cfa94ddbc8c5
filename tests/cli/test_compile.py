"""The main job as it is typed: what is written, what is printed, and the exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from click.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("folder")


def test_main_job(qcompile_: Run) -> None:
    before = Path("model.onnx").read_bytes()
    result = qcompile_("model.onnx", "--bits", "8", "--calib", "data")
    assert (result.exit_code, result.stderr.count("error")) == (0, 0)
    assert sorted(path.name for path in Path().iterdir()) == ["data", "model.int8.onnx", "model.onnx"]
    assert Path("model.onnx").read_bytes() == before
    onnx.checker.check_model("model.int8.onnx")

    lines = result.stdout.splitlines()
    assert lines[0].startswith("model.int8.onnx: ")
    assert " compute nodes on integers, " in lines[0]
    assert lines[-1].rstrip() == "next      qcompile validate model.onnx model.int8.onnx --data data"
    assert len(lines) <= 24
    assert max(len(line) for line in lines if "--exclude" not in line) <= 100  # options are there to be copied
    assert "no calibration data" not in result.stdout


def test_json_says_the_same(qcompile_: Run) -> None:
    result = qcompile_("compile", "model.onnx", "--calib", "data", "-o", "out.onnx", "--json", "facts.json")
    facts = json.loads(Path("facts.json").read_text())
    first = f"out.onnx: {facts['nodes']['integer']} of {facts['nodes']['total']} compute nodes on integers"
    assert result.stdout.startswith(first)
    assert facts["size_after"] == Path("out.onnx").stat().st_size
    assert facts["size_before"] == Path("model.onnx").stat().st_size
    assert (facts["status"], facts["samples"], facts["output"]) == ("compiled", 8, "out.onnx")
    assert f"SQNR {facts['fidelity'][0]['sqnr_db']:.1f} dB" in result.stdout


def test_json_on_stdout_is_all_that_is_there(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "--json", "-")
    assert json.loads(result.stdout)["next"] == "qcompile validate model.onnx model.int8.onnx --data data"


def test_quiet_prints_nothing(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert Path("model.int8.onnx").exists()


def test_verbose_shows_the_passes(qcompile_: Run) -> None:
    assert "fold-batchnorm" in qcompile_("model.onnx", "--calib", "data", "-v").stdout


def test_progress_is_on_stderr(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data")
    assert "canonicalize\n" in result.stderr
    assert "canonicalize" not in result.stdout


@pytest.mark.parametrize(("option", "warned"), [([], True), (["--no-calib"], False)])
def test_data_free_is_warned_about_once(option: list[str], warned: bool, qcompile_: Run) -> None:
    result = qcompile_("model.onnx", *option)
    assert result.exit_code == 0
    assert result.stdout.count("no calibration data") == warned


def test_missed_budget_is_exit_3_with_the_result_on_disk(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "--min-sqnr", "200", "-q")
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 3
    assert line.startswith("error: SQNR of output 'logits' is ")
    assert line.endswith("below 200 dB; model.int8.onnx is written")
    assert Path("model.int8.onnx").exists()
    assert qcompile_("model.onnx", "--calib", "data", "--min-sqnr", "10").exit_code == 0


def test_a_plan_replayed_gives_the_same_bytes(qcompile_: Run) -> None:
    assert qcompile_("model.onnx", "--calib", "data", "--save-plan", "plan.json").exit_code == 0
    assert qcompile_("model.onnx", "--calib", "data", "--plan", "plan.json", "-o", "again.onnx").exit_code == 0
    assert Path("again.onnx").read_bytes() == Path("model.int8.onnx").read_bytes()


def test_8_bit_inputs_and_outputs_are_said(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "--io-type", "quantized", "--save-plan", "plan.json")
    assert result.exit_code == 0
    assert "8-bit io  image: uint8, scale " in result.stdout
    assert qcompile_("validate", "model.onnx", "model.int8.onnx", "--data", "data", "--min-sqnr", "10").exit_code == 0
    assert qcompile_("model.onnx", "--calib", "data", "--plan", "plan.json", "-o", "again.onnx").exit_code == 0
    assert Path("again.onnx").read_bytes() == Path("model.int8.onnx").read_bytes()
    refused = qcompile_("model.onnx", "--calib", "data", "--plan", "plan.json", "--io-type", "float", "-q")
    assert refused.stderr.startswith("error: plan is for io type quantized, not float")


def test_excluded_nodes_are_listed(qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--calib", "data", "--exclude", "Gemm")
    assert " 1 excluded /8/Gemm: " in " ".join(result.stdout.split())


def test_looking_into_the_pipeline(qcompile_: Run) -> None:
    words = ["model.onnx", "--calib", "data", "-q", "--verify-each", "--print-after", "fold-batchnorm"]
    result = qcompile_(*words, "--save-after", "fold-batchnorm", "steps")
    (saved,) = Path("steps").iterdir()
    assert result.stdout.startswith("# after fold-batchnorm\n")
    assert "BatchNormalization" not in result.stdout
    assert saved.name.endswith("-fold-batchnorm.onnx")
    assert not [node for node in onnx.load(saved).graph.node if node.op_type == "BatchNormalization"]


def test_a_quantized_model_is_copied_and_said(qcompile_: Run) -> None:
    assert qcompile_("model.onnx", "--calib", "data", "-q").exit_code == 0
    result = qcompile_("model.int8.onnx", "--calib", "data", "-o", "twice.onnx")
    assert result.exit_code == 0
    assert Path("twice.onnx").read_bytes() == Path("model.int8.onnx").read_bytes()
    (line,) = result.stdout.splitlines()
    assert "model.int8.onnx: already quantized" in line
    assert "twice.onnx is an exact copy" in line


def test_nothing_to_quantize_is_copied_and_said(qcompile_: Run) -> None:
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Erf(x) }'
    onnx.save(onnx.parser.parse_model(text), "erf.onnx")
    result = qcompile_("erf.onnx", "--no-calib")
    assert result.exit_code == 0
    assert result.stdout.startswith("erf.onnx: nothing to quantize")
    assert Path("erf.int8.onnx").read_bytes() == Path("erf.onnx").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope.onnx"], "no model in nope.onnx"),
        (["data"], "no model in data (it is a folder)"),
        (["text.onnx"], "no readable ONNX model in text.onnx"),
        (["model.onnx", "--calib", "nope"], "nope"),
        (["model.onnx", "--custom-op-library", "ops.so"], "no custom operator library at ops.so (no such file)"),
        (["model.onnx", "--custom-op-library", "text.onnx"], "onnxruntime refuses custom operator library text.onnx ("),
        (["model.onnx", "--target", "toaster"], "no target 'toaster'; there are cpu, "),
        (["model.onnx", "--exclude", "matches nothing"], "matches nothing"),
        (["model.onnx", "--plan", "nope.json"], "cannot read plan nope.json"),
        (["model.onnx", "-o", "no/folder/out.onnx"], "no folder no/folder"),
        (["model.onnx", "--target", "xnnpack", "--format", "qoperator"], "no format 'qoperator' for target xnnpack"),
    ],
)
def test_unusable_input_is_one_line_and_exit_1(words: list[str], said: str, qcompile_: Run) -> None:
    Path("text.onnx").write_text("this is no model, but long enough to be mistaken for one")
    result = qcompile_(*words, "-q")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert line.startswith("error: ")
    assert said in line
    assert not Path("model.int8.onnx").exists()


def test_a_name_of_any_kind_is_quoted_in_what_comes_next(qcompile_: Run) -> None:
    shutil.copy("model.onnx", "my model.v2.onnx")
    result = qcompile_("my model.v2.onnx", "--calib", "data")
    last = result.stdout.splitlines()[-1].rstrip()
    assert last == "next      qcompile validate 'my model.v2.onnx' 'my model.v2.int8.onnx' --data data"
