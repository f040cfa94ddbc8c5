"""`qcompile`: finds the command; a first word that is none is the model of `compile`."""

from __future__ import annotations

from pathlib import Path

import click

from qcompile import __version__
from qcompile.cli.bench import bench
from qcompile.cli.compile import compile_
from qcompile.cli.demo import demo
from qcompile.cli.inspect import inspect
from qcompile.cli.passes import passes
from qcompile.cli.targets import targets
from qcompile.cli.validate import validate


class _CompileByDefault(click.Group):
    """`qcompile FILE ...` is `qcompile compile FILE ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help", "--version"} and _starts_compile(args[0]):
            args = ["compile", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of use, not of the alphabet


def _starts_compile(word: str) -> bool:
    """Whether a word is an option or may be a file; a bare word that is no file is a command that is not there."""
    path = Path(word)
    return word.startswith("-") or bool(path.suffix) or len(path.parts) > 1 or path.exists()


@click.group(cls=_CompileByDefault, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="qcompile", message="%(prog)s %(version)s")
def main() -> None:
    """Compile ONNX models to 8-bit integers: right, faster, explained.

    `qcompile MODEL.onnx --bits 8 --calib DATA` is short for `qcompile compile ...`.

    DATA is a folder of .npz files, one .npz, a folder of images (with --preprocess), a folder of test_data_set_*, or
    FILE.py:FUNC. Exit codes: 0 done, 1 the input cannot be used, 2 the command line is wrong, 3 a budget was missed.
    """


for command in (compile_, validate, bench, inspect, passes, targets, demo):
    main.add_command(command)
