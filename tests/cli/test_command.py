"""Errors: one line on stderr, the right exit code, no traceback without -v."""

from __future__ import annotations

import errno

import click
import pytest
from click.testing import CliRunner

from qcompile.cli.command import Command
from qcompile.cli.options import verbose_option
from qcompile.errors import BudgetMissed, ModelError


def command(error: BaseException) -> click.Command:
    """A command that fails."""

    @click.command(cls=Command)
    @verbose_option
    def fails() -> None:
        raise error

    return fails


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ModelError("no model in x (y);\n z"), 1, "error: no model in x (y); z"),
        (BudgetMissed("SQNR is low"), 3, "error: SQNR is low"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (
            MemoryError("8 GiB wanted"),
            1,
            "error: not enough memory (8 GiB wanted); use a smaller batch or a larger machine",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.onnx"),
            1,
            "error: cannot read or write out.onnx (No space left on device); "
            "check the path, its rights and the space on disk",
        ),
    ],
)
def test_errors_end_in_one_line(error: BaseException, code: int, line: str) -> None:
    result = CliRunner().invoke(command(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"{line}\n")


def test_a_defect_says_where_and_asks_for_a_report() -> None:
    result = CliRunner().invoke(command(ZeroDivisionError("division\nby zero")))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: internal error in qcompile.cli.command:")
    assert line.endswith("(ZeroDivisionError: division by zero); run again with -v and report it")


def test_verbose_shows_the_traceback_of_a_defect_only() -> None:
    defect = CliRunner().invoke(command(ZeroDivisionError()), ["-v"]).stderr
    assert defect.startswith("Traceback (most recent call last):\n")
    assert defect.splitlines()[-1].startswith("error: internal error")
    assert CliRunner().invoke(command(ModelError("no")), ["-v"]).stderr == "error: no\n"
