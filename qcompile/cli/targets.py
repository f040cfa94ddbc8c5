"""`qcompile targets [NAME]`: where a result can run, and what runs there on integers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcompile.cli.command import Command
from qcompile.cli.options import json_option

if TYPE_CHECKING:
    from qcompile.targets import OpEntry, Target


@click.command(cls=Command)
@click.argument("name", required=False)
@json_option
def targets(name: str | None, json_file: Path | None) -> None:
    """List the targets, or what one computes on integers."""
    from qcompile.cli.near import check_name
    from qcompile.cli.output import show
    from qcompile.report.text import listing
    from qcompile.targets import find_target, target_names

    names = target_names()
    if name is None:
        found = [_facts(find_target(entry)) for entry in names]
        rows = [(t["name"], t["known"], ", ".join(t["exact_on"]), t["description"]) for t in found]
        show(listing(("target", "table", "exact on", "what it is"), rows), {"targets": found}, json_file)
        return
    check_name("target", name, names)
    target = find_target(name)
    ops = [_op(op, entry) for op, entry in sorted(target.table.items())]
    rows = [(op["op_type"], op["role"], ", ".join(op["forms"]), ", ".join(op["absorbs"]) or "-") for op in ops]
    show(listing(("op", "role", "forms", "absorbs"), rows), {**_facts(target), "ops": ops}, json_file)


def _facts(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "description": target.description,
        "formats": list(target.formats),
        "known": "measured" if target.measured else "derived, not measured",
        "exact_on": list(target.exact_on),
    }


def _op(op_type: str, entry: OpEntry) -> dict[str, Any]:
    return {
        "op_type": op_type,
        "role": str(entry.role),
        "forms": [str(form) for form in entry.forms],
        "absorbs": list(entry.absorbs),
        "refused": [why for _, why in entry.needs],
    }
