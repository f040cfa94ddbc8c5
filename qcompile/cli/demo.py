"""`qcompile demo`: the main job on the shipped models, with what it costs and what it gains."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcompile.cli.command import Command
from qcompile.cli.files import check_writable
from qcompile.cli.options import FILE, json_option, quiet_option, threads_option, verbose_option
from qcompile.cli.progress import progress

if TYPE_CHECKING:
    from qcompile.api import Progress

DEFAULT = ("residual", "depthwise")
"""The convolution nets: where integers can win on any machine."""


@click.command(cls=Command)
@click.option("--model", "wanted", multiple=True, metavar="NAME", help="A shipped model.  [default: the two CNNs]")
@click.option("-o", "--output", type=FILE, metavar="DIR", help="Keep the results there.")
@threads_option
@json_option
@quiet_option
@verbose_option
def demo(
    wanted: tuple[str, ...],
    output: Path | None,
    threads: int,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Compile the shipped models; compare accuracy, speed and size."""
    from rich.console import Group

    from qcompile import models
    from qcompile.cli.near import check_name
    from qcompile.cli.output import show
    from qcompile.report.text import listing

    check_writable({"--json": json_file})
    for name in wanted:
        check_name("model", name, models.names())
    with contextlib.ExitStack() as stack:
        folder = output or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qcompile-")))
        folder.mkdir(parents=True, exist_ok=True)
        callback = stack.enter_context(progress(quiet))
        rows = [_run(name, folder, threads, callback) for name in dict.fromkeys(wanted or DEFAULT)]
    titles = ("model", "accuracy", "int8 accuracy", "int8 speed", "size", "int8 size", "on integers")
    kept = f"The models are in {output}." if output else "Keep the models with `qcompile demo -o DIR`."
    text = Group(listing(titles, map(_cells, rows)), f"{kept} On your own: qcompile MODEL.onnx --bits 8 --calib DATA")
    show(text, {"models": rows}, json_file, quiet=quiet)


def _run(name: str, folder: Path, threads: int, callback: Progress | None) -> dict[str, Any]:
    from qcompile import api, models
    from qcompile.runtime import Runtime, Session, speed_ratio

    def report(phase: str, done: int, total: int | None) -> None:
        if callback:
            callback(f"{name}: {phase}", done, total)

    feeds = list(models.calibration(name))
    result = api.compile(models.path(name), calib=feeds, threads=threads, progress=report)
    path = folder / f"{name}.int8.onnx"
    result.save(path)
    report("compare", 0, None)
    runtime = Runtime(threads)
    before, after = Session(models.path(name), runtime), Session(path, runtime)
    return {
        "model": name,
        "float_accuracy": models.accuracy(name, before.run),
        "int8_accuracy": models.accuracy(name, after.run),
        "speed_ratio": speed_ratio(before, after, feeds[0], threads=threads),
        "size_before": result.size_before,
        "size_after": result.size_after,
        "integer_nodes": sum(node.integer for node in result.operators),
        "nodes": len(result.operators),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from qcompile.report.words import megabytes

    return (
        row["model"],
        f"{row['float_accuracy']:.2%}",
        f"{row['int8_accuracy']:.2%}",
        f"{row['speed_ratio']:.2f} x",
        megabytes(row["size_before"]),
        megabytes(row["size_after"]),
        f"{row['integer_nodes']} of {row['nodes']} nodes",
    )
