"""The shipped models: they load, take any batch, are as accurate as stated, and small enough for the wheel."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from qcompile import models
from qcompile.errors import ModelError

CNNS = ("residual", "depthwise")
FOLDER = Path(models.__file__).parent


def session(name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(models.path(name), providers=["CPUExecutionProvider"])


def graph(name: str) -> onnx.GraphProto:
    return onnx.shape_inference.infer_shapes(onnx.load(models.path(name)), strict_mode=True).graph


def convolution_macs(name: str) -> int:
    """Multiply-adds of one sample in Conv nodes: output positions times the size of the weight."""
    net = graph(name)
    weights = {tensor.name: tuple(tensor.dims) for tensor in net.initializer}
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in net.value_info}
    convolutions = [node for node in net.node if node.op_type == "Conv"]
    return sum(int(np.prod(shapes[node.output[0]][2:])) * int(np.prod(weights[node.input[1]])) for node in convolutions)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("batch", [1, 3])
def test_runs_on_any_batch_and_samples_do_not_mix(name: str, batch: int) -> None:
    run = session(name)
    images = [feed["image"] for feed, _ in zip(models.calibration(name), range(batch), strict=False)]
    (logits,) = run.run(None, {"image": np.concatenate(images)})
    alone = [run.run(None, {"image": image})[0] for image in images]
    assert logits.shape == (batch, 10)
    np.testing.assert_allclose(logits, np.concatenate(alone), atol=1e-4)


@pytest.mark.parametrize("name", models.names())
def test_interface(name: str) -> None:
    net = graph(name)
    dims = [dim.dim_param or dim.dim_value for dim in net.input[0].type.tensor_type.shape.dim]
    assert [value.name for value in net.input] == ["image"]
    assert dims == ["batch", 1, 32, 32]
    assert [value.name for value in net.output] == ["logits"]


@pytest.mark.parametrize("name", models.names())
def test_float_accuracy(name: str) -> None:
    run = session(name)
    assert 0.95 <= models.accuracy(name, lambda feed: list(run.run(None, feed))) < 1


@pytest.mark.parametrize("name", CNNS)
def test_convolution_nets_leave_batch_norms_to_the_compiler(name: str) -> None:
    operators = Counter(node.op_type for node in graph(name).node)
    assert operators["BatchNormalization"] >= 8


@pytest.mark.parametrize("name", CNNS)
def test_convolution_nets_are_large_enough_for_integers_to_win(name: str) -> None:
    weights = {tensor.name: tensor.dims for tensor in graph(name).initializer}
    channels = [weights[node.input[1]][0] for node in graph(name).node if node.op_type == "Conv"]
    assert convolution_macs(name) >= 20_000_000
    assert min(channels) >= 32


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("residual", {"Add", "MaxPool", "GlobalAveragePool", "Gemm"}),
        ("depthwise", {"HardSwish", "HardSigmoid", "Mul", "GlobalAveragePool", "Gemm"}),
        ("encoder", {"LayerNormalization", "Softmax", "Gelu", "MatMul"}),
        ("lstm", {"LSTM", "Gemm"}),
    ],
)
def test_models_hold_what_they_are_named_for(name: str, operators: set[str]) -> None:
    assert operators <= {node.op_type for node in graph(name).node}


@pytest.mark.parametrize("name", models.names())
def test_feeds(name: str) -> None:
    calibration = [feed["image"] for feed in models.calibration(name)]
    test = [feed["image"] for feed, _ in models.test_data(name)]
    labels = [label for _, label in models.test_data(name)]
    assert (len(calibration), len(test)) == (128, 800)
    assert {(image.shape, str(image.dtype)) for image in calibration + test} == {((1, 1, 32, 32), "float32")}
    assert all(0 <= image.min() < image.max() <= 1 for image in calibration + test)
    assert set(labels) == set(range(10))


def test_no_calibration_image_is_a_test_image() -> None:
    calibration = {feed["image"].tobytes() for feed in models.calibration("residual")}
    test = {feed["image"].tobytes() for feed, _ in models.test_data("residual")}
    assert len(calibration) == 128
    assert not calibration & test


def test_all_files_together_are_under_five_megabytes() -> None:
    files = [file for file in FOLDER.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {models.path(name) for name in models.names()} <= set(files)
    assert sum(file.stat().st_size for file in files) < 5_000_000


@pytest.mark.parametrize("name", models.names())
def test_no_trace_of_the_exporting_machine(name: str) -> None:
    model = onnx.load(models.path(name))
    del model.graph.initializer[:]  # weights are random bytes, which may spell anything
    assert not re.findall(
        rb"/(?:home|work|usr|Users|tmp|opt)/|site-packages|\.py\b|[A-Z]:\\", model.SerializeToString()
    )


def test_unknown_name_is_one_clear_line() -> None:
    with pytest.raises(ModelError, match=r"^no model 'vgg' in qcompile\.models; take one of residual, depthwise"):
        models.path("vgg")
    with pytest.raises(ModelError):
        models.calibration("../residual")
