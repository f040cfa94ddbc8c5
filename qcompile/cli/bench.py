"""`qcompile bench FP32 INT8`: the two side by side, in time and memory."""

from __future__ import annotations

from pathlib import Path

import click

from qcompile.cli.command import Command
from qcompile.cli.files import check_apart, check_writable
from qcompile.cli.options import (
    FILE,
    custom_ops_option,
    input_shapes,
    json_option,
    preprocess_option,
    quiet_option,
    verbose_option,
)
from qcompile.cli.progress import progress


def _counts(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Callback: `1,2` becomes its numbers."""
    words = value.split(",")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise click.BadParameter(f"{value!r} is not such as 1,2: counts from 1 on, with commas between")
    return tuple(dict.fromkeys(map(int, words)))


@click.command(cls=Command)
@click.argument("fp32", type=FILE)
@click.argument("int8", type=FILE)
@click.option(
    "--data", metavar="DATA", help="Run its first sample; see `qcompile --help`.  [default: a synthetic sample]"
)
@preprocess_option
@click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    callback=input_shapes,
    metavar="NAME=1,3,224,224",
    help="Shape of an input of the synthetic sample; once an input.",
)
@click.option("--threads", default="1", show_default=True, callback=_counts, metavar="N,...", help="Threads to try.")
@click.option(
    "--batch",
    "batches",
    default="1",
    show_default=True,
    callback=_counts,
    metavar="N,...",
    help="Copies of the sample in one run to try; more than one needs an open batch axis.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=7, show_default=True, help="Turns of each model; noise falls."
)
@custom_ops_option
@json_option
@quiet_option
@verbose_option
def bench(
    fp32: Path,
    int8: Path,
    data: str | None,
    preprocess: str | None,
    shapes: dict[str, tuple[int, ...]],
    threads: tuple[int, ...],
    batches: tuple[int, ...],
    rounds: int,
    custom_ops: Path | None,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Time FP32 and INT8 in turns, and show where time and memory go."""
    if data is not None and shapes:
        raise click.UsageError("--input-shape is for a synthetic sample, --data gives a real one; drop one")
    check_apart({"FP32": fp32, "INT8": int8, "--data": data, "--custom-op-library": custom_ops}, {"--json": json_file})
    check_writable({"--json": json_file})

    from qcompile import api
    from qcompile.cli.output import show
    from qcompile.report.bench_text import benched
    from qcompile.report.data import as_json

    with progress(quiet) as callback:
        report = api.bench(
            fp32,
            int8,
            data=data,
            threads=threads,
            batches=batches,
            rounds=rounds,
            preprocess=preprocess,
            input_shapes=shapes,
            custom_op_library=custom_ops,
            progress=callback,
        )
    show(benched(report), as_json(report), json_file, quiet=quiet)
