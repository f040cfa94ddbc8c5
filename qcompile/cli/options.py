"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]

FILE = click.Path(path_type=Path)
"""Existence is checked where the file is read: that a file cannot be used is no error of the command line."""


class Regex(click.ParamType[str]):
    """A regular expression, kept as text."""

    name = "regex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, if it is a regular expression."""
        try:
            re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression ({error})", param, ctx)
        return str(value)


class InputShape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """`NAME=1,3,224,224`; a name may hold `=`, so the last one counts."""

    name = "name=dims"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """Name and dimensions."""
        name, equals, dims = value.rpartition("=")
        if not equals or not name or not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", dims):
            self.fail(f"{value!r} is not NAME=1,3,224,224 with positive dimensions", param, ctx)
        return name, tuple(int(dim) for dim in dims.split(","))


def json_option(command: F) -> F:
    """`--json F`."""
    text = "Write the same facts as JSON to FILE (`-`: stdout, instead of the text)."
    return click.option("--json", "json_file", type=FILE, metavar="FILE", help=text)(command)


def quiet_option(command: F) -> F:
    """`-q`."""
    return click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")(command)


def verbose_option(command: F) -> F:
    """`-v`."""
    return click.option("-v", "--verbose", is_flag=True, help="More details, tracebacks of internal errors.")(command)


def threads_option(command: F) -> F:
    """`--threads N`."""
    kind = click.IntRange(min=1)
    return click.option("--threads", type=kind, default=1, show_default=True, help="Threads of the runtime.")(command)


def data_options(command: F) -> F:
    """`--max-samples N` and `--preprocess SPEC`."""
    command = click.option(
        "--preprocess", metavar="SPEC", help="For images: resize=256,crop=224,mean=...,std=...,layout=nchw,rgb."
    )(command)
    return click.option(
        "--max-samples", type=click.IntRange(min=1), metavar="N", help="Use no more than N samples of the data."
    )(command)


def min_sqnr_option(command: F) -> F:
    """`--min-sqnr DB`."""
    text = "Lowest signal-to-noise ratio of any output, in dB; exit 3 below it."
    return click.option("--min-sqnr", type=float, metavar="DB", help=text)(command)
