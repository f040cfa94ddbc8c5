"""Rule: no tracked file names a machine's folders or a package registry, or puts work off; no Python file is long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# Over the bytes of every file: exporters write source paths into .onnx files.
# A class of one letter keeps this file from matching itself.
FORBIDDEN = {
    "absolute path": rb"(?<![\w.])/(?:home|root|work|Users)/|\b[A-Z]:\\+[U]sers",
    "registry host": rb"pypi[.]org|pythonhosted[.]org|anaconda[.]org|npmjs[.]",
    "work put off": rb"\bTO[D]O\b|\bFIX[M]E\b",
}
MAX_LINES = 400


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, root: Path, tracked: list[str]) -> None:
    files = [path for path in tracked if (root / path).is_file()]
    assert not [path for path in files if re.search(FORBIDDEN[what], (root / path).read_bytes())]


def test_python_files_are_short(root: Path, tracked: list[str]) -> None:
    sources = [root / path for path in tracked if path.endswith(".py") and (root / path).is_file()]
    assert not [path for path in sources if len(path.read_text(encoding="utf-8").splitlines()) > MAX_LINES]
