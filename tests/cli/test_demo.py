"""The demo compiles a shipped model and writes nothing but what it was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_demo(qcompile_: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = qcompile_("demo", "--model", "residual", "-o", "out", "--json", "facts.json")
    (row,) = json.loads(Path("facts.json").read_text())["models"]
    assert result.exit_code == 0
    assert sorted(path.as_posix() for path in Path().rglob("*")) == ["facts.json", "out", "out/residual.int8.onnx"]
    assert row["int8_accuracy"] > row["float_accuracy"] - 0.02
    assert row["size_after"] == Path("out/residual.int8.onnx").stat().st_size < row["size_before"] / 2
    assert f"{row['int8_accuracy']:.2%}" in result.stdout
