"""Rule: the public names are the `__all__` of the packages, as listed in public_api.txt; each is there and documented.

After a wanted change: `python tests/structure/test_public_api.py > tests/structure/public_api.txt`
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def defines_all(path: Path) -> bool:
    """Whether a source file assigns `__all__`; read, not imported, as some packages need libraries of an extra."""
    assigned = [
        target
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in assigned)


PACKAGES = sorted(
    "qcompile." * (folder != "qcompile") + ".".join(path.parent.relative_to(ROOT).parts)
    for folder in ("qcompile", "passes", "models")
    for path in (ROOT / folder).rglob("__init__.py")
    if defines_all(path)
)


def public_names() -> list[str]:
    """`package.name` for every name in the `__all__` of a package, sorted."""
    return sorted(f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__)


def test_public_names_are_the_listed_ones() -> None:
    listed = (ROOT / "tests" / "structure" / "public_api.txt").read_text(encoding="utf-8").split()
    assert listed == public_names()


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_resolve_and_are_documented(package: str) -> None:
    module = importlib.import_module(package)
    assert not [name for name in module.__all__ if not is_documented(getattr(module, name))]


def is_documented(value: object) -> bool:
    """Whether a class, function or module has a docstring of its own; other values cannot have one."""
    if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
        return True
    documentation = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    made_by_dataclass = inspect.isclass(value) and (documentation or "").startswith(f"{value.__name__}(")
    return bool(documentation) and not made_by_dataclass


if __name__ == "__main__":
    print(*public_names(), sep="\n")
