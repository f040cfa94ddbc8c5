"""What the benchmarks print and write: a table, and the same as JSON with the machine that it was measured on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from rich.console import Console
from rich.table import Table

import qcompile
from qcompile.runtime import host

WIDTH = 120


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows of the same keys, one column a key; numbers rounded, what is None as a dash."""
    table = Table(title=title, box=None, header_style="bold")
    for key, value in rows[0].items() if rows else ():
        table.add_column(key, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    Console(width=WIDTH, highlight=False).print(table)


def write(file: Path | None, results: Any) -> None:
    """Write the results as JSON where a file is given; infinities as strings."""
    if file is None:
        return
    machine = host()
    where = {
        "processor": machine.processor,
        "architecture": machine.architecture,
        "features": sorted(machine.features),
        "onnxruntime": onnxruntime.__version__,
        "qcompile": qcompile.__version__,
    }
    text = json.dumps({"host": where, "results": _finite(results)}, indent=1, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8")


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    match value:
        case dict():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value
