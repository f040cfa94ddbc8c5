"""Rule: what a package registers is found by being installed, as docs/examples/qcompile-example shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOOK = """
import json

import numpy as np
import onnx_ir as ir

import qcompile
from qcompile.calibrate import find_observer, observer_names
from qcompile.pipeline import Context, Pipeline
from qcompile.targets import target_names

TEXT = '''<ir_version: 10, opset_import: ["": 21]> g (float[1, 3, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [square] s = Mul(x, x)
    [root] a = Sqrt(s)
    [conv1] b = Conv(a, first)
    [conv2] y = Conv(b, second)
}'''
rng = np.random.default_rng(0)
shapes = {"first": (4, 3, 1, 1), "second": (4, 4, 1, 1)}
weights = [ir.tensor(rng.normal(size=shape).astype(np.float32), name=name) for name, shape in shapes.items()]
model = ir.from_onnx_text(TEXT, initializers=weights)
canonical, _ = Pipeline.default().stage("canonicalize").run(model.clone(), Context())
feeds = [{"x": rng.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(2)]
result = qcompile.compile(model, calib=feeds, target="conv-only", observer="percentile-99.9", format="qoperator")
print(json.dumps({
    "passes": Pipeline.default().stage("canonicalize").names,
    "targets": target_names(),
    "observers": observer_names(),
    "observer": find_observer("percentile-99.9")().percentile,
    "canonical": [node.op_type for node in canonical.graph],
    "plan": [result.plan.target, result.plan.notes["observer"], str(result.plan.nodes["conv1"].form)],
}))
"""


@pytest.fixture(scope="module")
def found(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What qcompile finds when the example is installed beside it."""
    folder = tmp_path_factory.mktemp("example")
    example = root / "docs" / "examples" / "qcompile-example"
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(example)], check=True)
    result = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_the_pass_runs_last_in_its_stage(found: dict[str, Any]) -> None:
    assert found["passes"][-1] == "fuse-abs"
    assert found["canonical"] == ["Abs", "Conv", "Conv"]


def test_the_target_and_the_observer_are_found(found: dict[str, Any]) -> None:
    assert "conv-only" in found["targets"]
    assert "percentile-99.9" in found["observers"]
    assert found["observer"] == 99.9


def test_they_take_part_in_a_compile(found: dict[str, Any]) -> None:
    assert found["plan"] == ["conv-only", "percentile-99.9", "integer"]
