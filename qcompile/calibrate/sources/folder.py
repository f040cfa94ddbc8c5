"""What lies in a folder of data, in a fixed order and never outside of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from qcompile.errors import CalibrationError


def files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Files directly in the folder with one of the (lower case) suffixes, by name; hidden ones are left out.

    Raises CalibrationError for a link that leads out of the folder: only what the user named is read.
    """
    wanted = set(suffixes)
    return sorted(inside(folder, p) for p in _entries(folder) if p.suffix.lower() in wanted and not p.is_dir())


def numbered(folder: Path, pattern: str) -> list[Path]:
    """Entries whose whole name is matched by the pattern, by the number in its first group."""
    found = [(int(m[1]), inside(folder, p)) for p in _entries(folder) if (m := re.fullmatch(pattern, p.name))]
    return [path for _, path in sorted(found)]


def inside(folder: Path, path: Path) -> Path:
    """The path itself. Raises CalibrationError where links take it out of the folder."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CalibrationError(f"link out of the folder in {path} (refused); name the folder that it leads to")
    return path


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise CalibrationError(f"unreadable folder {folder} ({error.strerror})") from error
