"""Input files are never changed: what is written is none of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

STDOUT = Path("-")


def check_apart(read: Mapping[str, Path | str | None], written: Mapping[str, Path | None]) -> None:
    """Raise a usage error if a file would be written over one that is read, or twice; files by their options."""
    taken = {option: Path(path) for option, path in read.items() if path}
    for option, path in written.items():
        if path is None or path == STDOUT:
            continue
        for other, file in taken.items():
            if _same(path, file):
                raise click.UsageError(f"{option} {path} is also {other}")
        taken[option] = path


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b))
