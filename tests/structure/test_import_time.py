"""Rule: `import qcompile` is light, and a folder that is mapped into qcompile has no second name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"onnxruntime", "onnxscript", "matplotlib", "torch", "rich", "sympy"}


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)


def test_import_loads_nothing_heavy(root: Path) -> None:
    result = python("import qcompile, sys; print(*sys.modules)", root)
    assert result.returncode == 0, result.stderr
    assert not HEAVY & set(result.stdout.split())


@pytest.mark.parametrize("folder", ["passes", "models"])
def test_mapped_folder_has_one_name(folder: str, root: Path) -> None:
    result = python(f"import {folder}", root)
    assert result.returncode == 1
    assert f"ImportError: import qcompile.{folder}, not {folder}" in result.stderr
