"""`qcompile passes [NAME]`: what the pipeline is made of."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcompile.cli.command import Command
from qcompile.cli.options import json_option

if TYPE_CHECKING:
    from qcompile.pipeline import Pass


@click.command(cls=Command)
@click.argument("name", required=False)
@json_option
def passes(name: str | None, json_file: Path | None) -> None:
    """List the passes in running order, or explain one."""
    from qcompile.cli.near import check_name
    from qcompile.cli.output import show
    from qcompile.pipeline import Pipeline
    from qcompile.report.text import listing

    pipeline = Pipeline.default()
    if name is None:
        found = [_facts(stage, entry) for stage, entry in pipeline.entries]
        rows = [(entry["stage"], entry["name"], entry["summary"]) for entry in found]
        show(listing(("stage", "pass", "what it does"), rows), {"passes": found}, json_file)
        return
    check_name("pass", name, pipeline.names)
    stage, entry = next((stage, entry) for stage, entry in pipeline.entries if entry.name == name)
    facts = _facts(stage, entry)
    options = "".join(f"\noption {field}: {value}" for field, value in facts["options"].items())
    show(f"{name} (stage {stage})\n\n{facts['documentation']}{options}", facts, json_file)


def _facts(stage: str, entry: Pass) -> dict[str, Any]:
    documentation = inspect.getdoc(type(entry)) or ""
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(entry) if dataclasses.is_dataclass(entry) else ()
    return {
        "stage": stage,
        "name": entry.name,
        "summary": documentation.partition("\n")[0],
        "documentation": documentation,
        "options": {field.name: f"{field.type} = {getattr(entry, field.name)}" for field in fields},
    }
