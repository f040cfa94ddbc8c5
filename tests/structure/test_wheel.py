"""Rule: the wheel holds the files that git has in qcompile/, passes/ and models/, no more, no fewer, and works.

It is built from the checkout and installed into a fresh environment that borrows only the dependencies.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

LINKS = {"qcompile/passes", "qcompile/models"}


@pytest.fixture(scope="module")
def environment(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "env", with_pip=False)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(root)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "--python", str(folder / "env"), "install", "--no-deps", "--no-index", str(wheel)], check=True
    )
    # A path in a .pth file adds that folder, but not what its own .pth files add: an editable qcompile stays out.
    (site_packages(folder / "env") / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "env"


def site_packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(environment)}))


def test_wheel_holds_what_git_holds(environment: Path, tracked: list[str]) -> None:
    package = site_packages(environment) / "qcompile"
    installed = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    in_qcompile = {path for path in tracked if path.startswith("qcompile/")} - LINKS
    mapped = {f"qcompile/{path}" for path in tracked if path.startswith(("passes/", "models/"))}
    assert sorted(path for path in installed if "__pycache__" not in path) == sorted(in_qcompile | mapped)


def test_wheel_is_imported_from_anywhere(environment: Path, tmp_path: Path) -> None:
    python = sysconfig.get_path("scripts", scheme="venv", vars={"base": str(environment)}) + "/python"
    code = "import qcompile, qcompile.passes as p, qcompile.models as m; print(*{x.__file__ for x in (qcompile, p, m)})"
    result = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(Path(file).is_relative_to(environment) for file in result.stdout.split())
