"""Finding the command, and what is wrong with a command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from qcompile import __version__

Run = Callable[..., Result]

COMMANDS = ["compile", "validate", "bench", "inspect", "passes", "targets", "demo"]


def test_help_lists_the_commands_that_there_are(qcompile_: Run) -> None:
    result = qcompile_("--help")
    listed = result.stdout.partition("Commands:\n")[2].splitlines()
    assert result.exit_code == 0
    assert [line.split()[0] for line in listed] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command: str, qcompile_: Run) -> None:
    result = qcompile_(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_version(qcompile_: Run) -> None:
    assert qcompile_("--version").stdout == f"qcompile {__version__}\n"


def test_as_a_module() -> None:
    result = subprocess.run([sys.executable, "-m", "qcompile", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"qcompile {__version__}\n")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, qcompile.cli as c; c.main(['--help'], standalone_mode=False); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "onnx", "onnx_ir", "onnxruntime", "rich"} & set(result.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["advise", "a.onnx"], "No such command 'advise'"),
        (["--report", "out.html", "a.onnx"], "No such option '--report'"),
        (["compile"], "Missing argument 'MODEL'"),
        (["a.onnx", "--bits", "4"], "'4' is not '8'"),
        (["a.onnx", "--format", "onnx"], "'onnx' is not one of"),
        (["a.onnx", "--exclude", "("], "'(' is no regular expression"),
        (["a.onnx", "--input-shape", "x"], "'x' is not NAME=1,3,224,224"),
        (["a.onnx", "--input-shape", "x=1,0"], "'x=1,0' is not NAME=1,3,224,224"),
        (["a.onnx", "--calib", "d", "--no-calib"], "--calib and --no-calib exclude each other"),
        (["a.onnx", "-o", "a.onnx"], "-o a.onnx is also MODEL"),
        (["a.onnx", "-o", "x/../a.onnx"], "is also MODEL"),
        (["a.onnx", "-o", "a.ort"], "-o a.ort does not end in .onnx"),
        (["a.onnx", "--json", "a.onnx"], "--json a.onnx is also MODEL"),
        (["a.onnx", "--json", "x", "--save-plan", "x"], "--json x is also --save-plan"),
        (["a.onnx", "--calib", "d.npz", "--json", "d.npz"], "--json d.npz is also --calib"),
        (["inspect", "a.onnx", "--json", "a.onnx"], "--json a.onnx is also MODEL"),
        (["validate", "a.onnx", "b.onnx", "--data", "d", "--json", "b.onnx"], "--json b.onnx is also INT8"),
        (["a.onnx", "--print-after", "fold-batchnorm", "--json", "-"], "would both write to stdout"),
        (["validate", "a.onnx", "b.onnx"], "Missing option '--data'"),
        (["bench", "a.onnx"], "Missing argument 'INT8'"),
        (["bench", "a.onnx", "b.onnx", "--threads", "1,x"], "'1,x' is not such as 1,2"),
        (["bench", "a.onnx", "b.onnx", "--batch", "0"], "'0' is not such as 1,2"),
        (["bench", "a.onnx", "b.onnx", "--data", "d", "--input-shape", "x=1"], "--data gives a real one; drop one"),
        (["bench", "a.onnx", "b.onnx", "--json", "b.onnx"], "--json b.onnx is also INT8"),
        (["targets", "cpuu"], "no target 'cpuu'; did you mean cpu?"),
        (["demo", "--model", "residul"], "no model 'residul'; did you mean residual?"),
    ],
)
def test_wrong_command_lines(words: list[str], said: str, qcompile_: Run) -> None:
    result = qcompile_(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ["passes", "fold-batchnor"],
        ["a.onnx", "--print-after", "fold-batchnor"],
        ["a.onnx", "--save-after", "fold-batchnor", "d"],
    ],
)
def test_a_pass_that_is_not_there(words: list[str], qcompile_: Run) -> None:
    result = qcompile_(*words)
    assert result.exit_code == 2
    assert "no pass 'fold-batchnor'; did you mean fold-batchnorm" in result.stderr


def test_a_file_named_like_a_command(qcompile_: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("validate").write_text("no model")
    assert "Missing argument 'FP32'" in qcompile_("validate").stderr
    assert "no readable ONNX model in validate" in qcompile_("./validate").stderr
