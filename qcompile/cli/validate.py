"""`qcompile validate FP32 INT8`: how near the second model is to the first."""

from __future__ import annotations

from pathlib import Path

import click

from qcompile.cli.command import Command
from qcompile.cli.files import check_apart, check_writable
from qcompile.cli.options import (
    FILE,
    check_metric,
    custom_ops_option,
    data_options,
    json_option,
    metric_options,
    min_sqnr_option,
    no_nan,
    quiet_option,
    threads_option,
    verbose_option,
)


@click.command(cls=Command)
@click.argument("fp32", type=FILE)
@click.argument("int8", type=FILE)
@click.option("--data", "samples", required=True, metavar="DATA", help="Data to run both on; see `qcompile --help`.")
@data_options
@min_sqnr_option
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 100),
    callback=no_nan,
    metavar="PCT",
    help="Lowest share of equal largest entries, in percent; exit 3 below it.",
)
@metric_options
@threads_option
@custom_ops_option
@json_option
@quiet_option
@verbose_option
def validate(
    fp32: Path,
    int8: Path,
    samples: str,
    max_samples: int | None,
    preprocess: str | None,
    min_sqnr: float | None,
    min_agreement: float | None,
    metric: str | None,
    max_loss: float | None,
    threads: int,
    custom_ops: Path | None,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Compare the outputs of INT8 with those of FP32 on data."""
    check_metric(metric, max_loss)
    check_apart(
        {"FP32": fp32, "INT8": int8, "--data": samples, "--custom-op-library": custom_ops}, {"--json": json_file}
    )
    check_writable({"--json": json_file})

    from qcompile import api
    from qcompile.cli.output import show
    from qcompile.errors import BudgetMissed
    from qcompile.report import data, text

    report = api.validate(
        fp32,
        int8,
        data=samples,
        max_samples=max_samples,
        preprocess=preprocess,
        metric=metric,
        threads=threads,
        custom_op_library=custom_ops,
    )
    share = None if min_agreement is None else min_agreement / 100
    facts = data.validate_facts(
        report,
        reference=str(fp32),
        candidate=str(int8),
        min_sqnr=min_sqnr,
        min_agreement=share,
        max_loss=max_loss,
    )
    show(text.validated(facts), data.as_json(facts), json_file, quiet=quiet)
    if facts.misses:
        raise BudgetMissed("; ".join(facts.misses))
