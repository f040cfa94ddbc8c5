"""`--sequence`: what is typed, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import Result

Run = Callable[..., Result]

STEP = """<ir_version: 10, opset_import: ["": 21]>
    g (float[1,4] x, float[1,32] h_0) => (float[1,2] y, float[1,32] new) {
      both = Concat<axis = 1>(x, h_0)
      s = MatMul(both, w)
      new = Tanh(s)
      y = MatMul(new, v)
    }"""


@pytest.fixture
def step(folder: Path) -> None:
    """`step.onnx` with a state, and samples without it in `steps/`."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(STEP)
    for name, shape in (("w", (36, 32)), ("v", (32, 2))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    onnx.save(model, "step.onnx")
    Path("steps").mkdir()
    for number in range(10):
        np.savez(f"steps/{number}.npz", x=rng.normal(size=(1, 4)).astype(np.float32))


@pytest.mark.usefixtures("step")
def test_samples_need_no_states(qcompile_: Run) -> None:
    assert qcompile_("step.onnx", "--calib", "steps", "--sequence", "new=h_0", "-q").exit_code == 0
    metadata = {entry.key: entry.value for entry in onnx.load("step.int8.onnx").metadata_props}
    assert metadata["qcompile.calibration"] == "data"
    assert qcompile_("step.onnx", "--calib", "steps", "-q").stderr.startswith("error: no array for input 'h_0'")


@pytest.mark.usefixtures("step")
def test_without_data_the_states_run_on_as_well(qcompile_: Run) -> None:
    result = qcompile_("step.onnx", "--sequence", "new=h_0")
    assert (result.exit_code, result.stdout.count("no calibration data")) == (0, 1)
    metadata = {entry.key: entry.value for entry in onnx.load("step.int8.onnx").metadata_props}
    assert metadata["qcompile.calibration"] == "synthetic"


@pytest.mark.usefixtures("step")
def test_an_unknown_name_is_one_line(qcompile_: Run) -> None:
    result = qcompile_("step.onnx", "--calib", "steps", "--sequence", "old=h_0", "-q")
    assert (result.exit_code, result.stderr) == (1, "error: no output 'old' in the model (it has 'y', 'new')\n")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("text", ["new", "new=", "=h", "a=b,", "a=b=c", "a=b,a=c", ""])
def test_what_is_no_pair_is_an_error_of_the_command_line(text: str, qcompile_: Run) -> None:
    result = qcompile_("model.onnx", "--sequence", text)
    assert result.exit_code == 2
    assert "--sequence" in result.stderr
