"""`qcompile inspect MODEL`: what it is, and what a target would do with it."""

from __future__ import annotations

from pathlib import Path

import click

from qcompile.cli.command import Command
from qcompile.cli.files import check_apart
from qcompile.cli.options import FILE, json_option, quiet_option, verbose_option


@click.command(cls=Command)
@click.argument("model", type=FILE)
@click.option("--target", default="cpu", show_default=True, metavar="NAME", help="One of `qcompile targets`.")
@json_option
@quiet_option
@verbose_option
def inspect(model: Path, target: str, json_file: Path | None, quiet: bool) -> None:
    """Show what MODEL is, and what would compute on integers."""
    check_apart({"MODEL": model}, {"--json": json_file})

    from qcompile import api
    from qcompile.cli.output import show
    from qcompile.report import data, text

    facts = data.inspect_facts(api.inspect(model, target=target), model=str(model), target=target)
    show(text.inspected(facts), data.as_json(facts), json_file, quiet=quiet)
