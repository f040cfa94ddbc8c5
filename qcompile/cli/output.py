"""Where facts go: text or JSON to stdout, JSON to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcompile.cli.files import STDOUT

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 100


def show(text: RenderableType, data: dict[str, Any], json_file: Path | None, *, quiet: bool = False) -> None:
    """Print the text, or nothing when quiet; write the data to the JSON file, in the text's place if that is `-`."""
    if json_file == STDOUT:
        click.echo(dumps(data), nl=False)
        return
    if json_file is not None:
        write_text(json_file, dumps(data))
    if not quiet:
        say(text)


def say(text: RenderableType) -> None:
    """Print on stdout: a string as it is, all else at most 100 columns wide but for lines that are to be copied."""
    if isinstance(text, str):
        click.echo(text)
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if sys.stdout.isatty() else WIDTH
    console.print(text, crop=False)


def dumps(data: dict[str, Any]) -> str:
    """JSON text that ends with a newline."""
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all. Raises OutputError in one line."""
    from qcompile.ir import write_bytes

    write_bytes(path, text.encode())
