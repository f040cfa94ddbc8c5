"""Weights beside the model: read from inside its folder, and from nowhere else."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from qcompile.errors import ModelError
from qcompile.ir import constant, load_model

WEIGHT = np.arange(256, dtype=np.float32)
TEXT = '<ir_version: 10, opset_import: ["": 21]> g (float[256] x) => (float[256] y) { y = Add(x, w) }'
INSIDE_A_FUNCTION = """<ir_version: 10, opset_import: ["": 21, "local": 1]>
    g (bool c, float[256] x) => (float[256] y) { y = local.f(c, x) }
    <opset_import: ["": 21], domain: "local"> f (c, x) => (y) {
      y = If (c) <
        then_branch = yes () => (float[256] a) { w = Constant <value = float[1] {1.0}> () a = Add(x, w) },
        else_branch = no () => (float[256] b) { b = Relu(x) }
      >
    }"""

links = pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's folder; `weights` is inside it and `secret` beside it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "weights").write_bytes(WEIGHT.tobytes())
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    return inside


def external(location: str, **entries: str) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", dims=WEIGHT.shape, data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def model(folder: Path, location: str, **entries: str) -> Path:
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer.append(external(location, **entries))
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def line(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("entries", [{}, {"offset": "0", "length": "1024"}])
def test_inside_the_folder(folder: Path, entries: dict[str, str]) -> None:
    loaded = load_model(model(folder, "weights", **entries))
    np.testing.assert_array_equal(constant(loaded.graph.initializers["w"]), WEIGHT)


def test_from_another_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model(folder, "weights")
    monkeypatch.chdir(folder.parent)
    loaded = load_model("inside/model.onnx")
    np.testing.assert_array_equal(constant(loaded.graph.initializers["w"]), WEIGHT)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "sub/../../secret", ""])
def test_outside_the_folder(folder: Path, location: str) -> None:
    said = rf"^external data outside the model's folder for weight 'w' of .*model\.onnx \({re.escape(repr(location))}\)"
    assert re.search(said, line(model(folder, location)))


@pytest.mark.parametrize("location", ["nowhere", ".", "weights/deeper"])
def test_missing(folder: Path, location: str) -> None:
    said = rf"^external data unusable for weight 'w' of .*model\.onnx \({re.escape(repr(location))}: no such file"
    assert re.search(said, line(model(folder, location)))


def test_a_location_that_is_no_path(folder: Path) -> None:
    assert re.search(r"^external data .* for weight 'w' of .*model\.onnx", line(model(folder, "a\0b")))


@pytest.mark.parametrize("entries", [{"offset": "4"}, {"length": "2048"}, {"offset": "-4"}, {"length": "-1"}])
def test_too_short(folder: Path, entries: dict[str, str]) -> None:
    assert re.search(
        r"^external data too short for weight 'w' of .*'weights'", line(model(folder, "weights", **entries))
    )


def test_truncated(folder: Path) -> None:
    (folder / "weights").write_bytes(WEIGHT.tobytes()[:-1])
    assert re.search(r"^external data too short for weight 'w' of .*truncated", line(model(folder, "weights")))


@pytest.mark.parametrize("entries", [{"offset": "four"}, {"length": ""}, {"offset": "0x10"}])
def test_malformed_numbers(folder: Path, entries: dict[str, str]) -> None:
    assert re.search(r"^external data unreadable for weight 'w' of", line(model(folder, "weights", **entries)))


@links
def test_link_that_leaves_the_folder(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")
    assert re.search(r"^external data outside the model's folder for weight 'w'", line(model(folder, "link")))


@links
def test_folder_that_is_a_link(folder: Path) -> None:
    (folder / "sub").symlink_to(folder.parent)
    assert re.search(r"^external data outside the model's folder for weight 'w'", line(model(folder, "sub/secret")))


@links
def test_link_that_stays_inside(folder: Path) -> None:
    (folder / "link").symlink_to("weights")
    np.testing.assert_array_equal(constant(load_model(model(folder, "link")).graph.initializers["w"]), WEIGHT)


@links
def test_hard_link(folder: Path) -> None:
    os.link(folder.parent / "secret", folder / "hard")
    assert re.search(r"^external data unusable for weight 'w' .*a hard link", line(model(folder, "hard")))


def test_a_proto_has_no_folder(folder: Path) -> None:
    proto = onnx.load(model(folder, "weights"), load_external_data=False)
    with pytest.raises(ModelError, match=r"^external data of weight 'w' of the model \(a proto has no folder\)"):
        load_model(proto)


def test_inside_a_body_of_a_function(folder: Path) -> None:
    proto = onnx.parser.parse_model(INSIDE_A_FUNCTION)
    body = proto.functions[0].node[0].attribute[0].g
    body.node[0].attribute[0].t.CopyFrom(external("../secret"))
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    assert re.search(r"^external data outside the model's folder for weight 'w'", line(folder / "model.onnx"))
