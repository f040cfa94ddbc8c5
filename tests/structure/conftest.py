"""What the structure tests look at: the checkout, and the files that git has in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[str]:
    """Paths of the tracked files relative to the root, with `/`; the two links of qcompile/ are among them."""
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True, encoding="utf-8")
    return [path for path in listing.stdout.split("\0") if path]
