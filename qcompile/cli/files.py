"""Input files are never changed, and what cannot be written is said before the work."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import click

from qcompile.errors import OutputError

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


def check_writable(written: Mapping[str, Path | None]) -> None:
    """Raise OutputError if a file cannot be written where it should be; files by their options."""
    for option, path in written.items():
        if path is not None and path != STDOUT and (why := _obstacle(path)):
            raise OutputError(f"cannot write {path} ({why}); name another place with {option}")


def _obstacle(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder"
    if path.exists() and not path.is_file():  # a device or a pipe: nothing is made beside it
        return None
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        return f"no folder {folder}"
    return None if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b) or (a.exists() and b.exists() and a.samefile(b))
