"""Rule: a room imports only the rooms below it, and each third-party library has its rooms.

The table is the map of the house; CONTRIBUTING.md says what is in each room. Stdlib, numpy and `qcompile.errors` are
open to all.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "quant": set(),
    "ir": set(),
    "models": set(),
    "models.train": {"models"},
    "plan": {"quant"},
    "targets": {"plan"},
    "runtime": {"ir"},
    "pipeline": {"quant", "ir", "plan", "targets"},
    "passes": {"pipeline", "quant", "ir", "plan", "targets"},
    "calibrate": {"runtime", "pipeline", "quant", "ir"},
    "verify": {"runtime", "calibrate", "plan", "targets", "ir", "quant"},
    "decide": {"verify", "calibrate", "runtime", "passes", "pipeline", "targets", "plan", "quant", "ir"},
    "report": {"plan"},
}
BELOW_API = ROOMS.keys() - {"models", "models.train"}
ROOMS |= {
    "api": BELOW_API,
    "cli": {"api", "models", "report", "pipeline", "plan", "targets", "runtime", "ir"},  # runtime: the demo; ir: files
    "qat": {"api"},
    "engine": {"api"},
    "__init__": BELOW_API | {"api"},  # the face in Python: names are loaded when asked for
    "__main__": {"cli"},
}

HANDLE_MODELS = {"ir", "pipeline", "passes", "runtime", "calibrate", "verify", "decide", "api"}
LIBRARIES: dict[str, set[str]] = {
    "onnx": HANDLE_MODELS | {"models.train"},
    "onnx_ir": HANDLE_MODELS | {"models.train"},
    "onnxscript": HANDLE_MODELS | {"models.train"},
    "google": {"ir", "passes"},  # protobuf, for its errors
    "onnxruntime": {"runtime"},
    "torch": {"qat", "models.train"},
    "ray": {"engine"},
    "click": {"cli"},
    "rich": {"cli", "report"},
    "PIL": {"calibrate"},
    "sklearn": {"models.train"},
}
LOADED_BY_NAME = {("pipeline", "qcompile.passes")}  # the default order is data of the passes
OPEN = sys.stdlib_module_names | {"numpy"}

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("qcompile."): path
    for folder in ("qcompile", "passes", "models")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def room_of(module: str) -> str:
    """The room of a module, named below `qcompile`; the scripts that train models are a room of their own."""
    return "models.train" if module.startswith("models.train") else module.partition(".")[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports anywhere: `from a import b` gives `a.b`, `from . import b` gives `.b`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                yield from ("." * level + ".".join(filter(None, [module, name.name])) for name in names)


def loads(tree: ast.AST) -> Iterator[str]:
    """Names that a module loads by `import_module("a")` or `__import__("a")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def breach(module: str, imported: str) -> str | None:
    """Why `module` may not import the name, or None."""
    room = room_of(module)
    if imported.startswith("."):
        return f"relative import {imported}: write qcompile.{room}..."
    library, _, inner = imported.partition(".")
    if library != "qcompile":
        if library in OPEN or room in LIBRARIES.get(library, set()):
            return None
        return f"{room} may not import {library}"
    if inner == "__version__":
        return None
    # A name that is no room is taken from the face, and so from all that lies behind it.
    wanted = room_of(inner) if room_of(inner) in ROOMS else "api"
    if wanted in {room, "errors"} or wanted in ROOMS.get(room, set()):
        return None
    return f"{room} may not import {wanted} ({imported})"


def breaches(module: str, source: str) -> list[str]:
    tree = ast.parse(source)
    loaded = [name for name in loads(tree) if (room_of(module), name) not in LOADED_BY_NAME]
    return [found for name in [*imports(tree), *loaded] if (found := breach(module, name))]


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    assert not breaches(module, SOURCES[module].read_text(encoding="utf-8"))


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in SOURCES} <= ROOMS.keys()


@pytest.mark.parametrize(
    ("module", "source", "allowed"),
    [
        ("quant.scale", "import math, numpy as np\nfrom qcompile.errors import ModelError", True),
        ("quant.scale", "from qcompile.plan import Plan", False),
        ("quant.scale", "from qcompile import plan", False),
        ("quant.scale", "import qcompile", False),
        ("quant.scale", "from .range import Range", False),
        ("ir.save", "from qcompile import __version__", True),
        ("passes.lower.conv", "from qcompile.passes.lower.common import x", True),
        ("passes.lower.conv", "def f():\n    import onnxruntime", False),
        ("passes.lower.conv", "from importlib import import_module\nimport_module('onnxruntime')", False),
        ("pipeline.registry", "from importlib import import_module\nimport_module('qcompile.passes')", True),
        ("pipeline.registry", "import qcompile.passes", False),
        ("runtime.session", "import onnxruntime.capi as c", True),
        ("cli.compile", "import qcompile\nimport click", True),
        ("models.train.digits", "import torch", True),
        ("models", "import torch", False),
    ],
)
def test_the_check_itself(module: str, source: str, allowed: bool) -> None:
    assert (not breaches(module, source)) == allowed
