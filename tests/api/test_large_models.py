"""Weights in other files stay there, and memory is bounded by one weight, not by the model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from qcompile.ir import load_model

SCRIPT = Path(__file__).with_name("large_model.py")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def compiled(folder: Path, megabytes: int, allowed: int) -> None:
    """Compile a model of two such weights, and hold it to so many megabytes."""
    command = [sys.executable, str(SCRIPT), str(folder), str(megabytes)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["integer"] == [True, True, True]
    assert said["sqnr_db"] > 20
    assert said["memory"] < allowed << 20

    graph = onnx.load_model(folder / "out.onnx", load_external_data=False).graph
    weights = [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8 and tensor.dims[1:]]
    assert [tensor.data_location for tensor in weights] == [onnx.TensorProto.EXTERNAL] * 2
    assert (folder / "out.onnx").stat().st_size < 10_000
    files = sorted(file.name for file in folder.iterdir() if file.name.startswith("out.onnx."))
    assert len(files) == 1
    assert 2 * (megabytes << 18) <= (folder / files[0]).stat().st_size < 2.1 * (megabytes << 18)
    load_model(folder / "out.onnx")


@LINUX
def test_memory_is_bounded_by_one_weight(tmp_path: Path) -> None:
    """The float form of one weight, the 8-bit form of all, and what the runtime needs to start."""
    compiled(tmp_path, 64, allowed=64 * 3 // 2 + 100)


@LINUX
@pytest.mark.exhaustive
def test_a_model_over_two_gigabytes(tmp_path: Path) -> None:
    compiled(tmp_path, 1200, allowed=1200 * 3 // 2 + 600)
