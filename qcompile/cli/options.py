"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_VERBOSE = "qcompile.verbose"

FILE = click.Path(path_type=Path)
"""Existence is checked where the file is read: that a file cannot be used is no error of the command line."""


def regexes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Callback: every value is a regular expression; kept as text."""
    for text in value:
        try:
            re.compile(text)
        except re.error as error:
            raise click.BadParameter(f"{text!r} is no regular expression ({error})") from error
    return value


def input_shapes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Callback: `NAME=1,3,224,224` becomes an entry; a name may hold `=`, so the last one counts."""
    shapes = {}
    for text in value:
        name, _, dims = text.rpartition("=")
        if not name or not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", dims):
            raise click.BadParameter(f"{text!r} is not NAME=1,3,224,224 with positive dimensions")
        shapes[name] = tuple(int(dim) for dim in dims.split(","))
    return shapes


def sequence_pairs(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, str]:
    """Callback: `OUT=IN,OUT=IN` becomes input names by output names."""
    pairs: dict[str, str] = {}
    for text in value.split(",") if value is not None else ():
        output, _, into = text.partition("=")
        if not output or not into or "=" in into:
            raise click.BadParameter(f"{text!r} is not OUT=IN, an output and the input that it feeds")
        if output in pairs:
            raise click.BadParameter(f"output {output!r} is named twice")
        pairs[output] = into
    return pairs


def no_nan(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Callback: a number that others can be compared with."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number to compare with")
    return value


def json_option(command: F) -> F:
    """`--json F`."""
    text = "Write the same facts as JSON to FILE (`-`: stdout, instead of the text)."
    return click.option("--json", "json_file", type=FILE, metavar="FILE", help=text)(command)


def quiet_option(command: F) -> F:
    """`-q`."""
    return click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")(command)


def verbose_option(command: F) -> F:
    """`-v`; no parameter of the command, as it is asked for where errors end: `is_verbose`."""
    text = "More details, and tracebacks of internal errors."
    option = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_keep_verbose, help=text)
    return option(command)


def _keep_verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[_VERBOSE] = value


def is_verbose() -> bool:
    """Whether the command that runs was given `-v`."""
    return bool(click.get_current_context().meta.get(_VERBOSE))


def threads_option(command: F) -> F:
    """`--threads N`."""
    kind = click.IntRange(min=1)
    return click.option("--threads", type=kind, default=1, show_default=True, help="Threads of the runtime.")(command)


def custom_ops_option(command: F) -> F:
    """`--custom-op-library FILE`."""
    text = "Library that gives onnxruntime the operators of other domains; they stay float."
    return click.option("--custom-op-library", "custom_ops", type=FILE, metavar="FILE", help=text)(command)


def preprocess_option(command: F) -> F:
    """`--preprocess SPEC`."""
    text = "For images: resize=256,crop=224,mean=...,std=...,layout=nchw,rgb."
    return click.option("--preprocess", metavar="SPEC", help=text)(command)


def data_options(command: F) -> F:
    """`--max-samples N` and `--preprocess SPEC`."""
    return click.option(
        "--max-samples", type=click.IntRange(min=1), metavar="N", help="Use no more than N samples of the data."
    )(preprocess_option(command))


def metric_options(command: F) -> F:
    """`--metric FILE.py:FUNC` and `--max-loss PCT`; `check_metric` holds them together."""
    text = "Loss that is allowed of the float model's figure, in percent; exit 3 above it."
    command = click.option("--max-loss", type=float, callback=no_nan, metavar="PCT", help=text)(command)
    text = "Your metric: takes `run` (feed -> list of outputs), returns a number; higher is better."
    return click.option("--metric", metavar="FILE.py:FUNC", help=text)(command)


def check_metric(metric: str | None, max_loss: float | None) -> None:
    """Raise a usage error for a loss of nothing."""
    if max_loss is not None and metric is None:
        raise click.UsageError("--max-loss needs --metric: of what?")


def min_sqnr_option(command: F) -> F:
    """`--min-sqnr DB`."""
    text = "Lowest signal-to-noise ratio of any output, in dB; exit 3 below it."
    return click.option("--min-sqnr", type=float, callback=no_nan, metavar="DB", help=text)(command)
