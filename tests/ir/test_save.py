"""A saved model is whole or not there, says what the loaded one said, and carries its weights along."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from qcompile.errors import OutputError
from qcompile.ir import constant, data_folder, load_model, save_model, saved_size, to_proto, weight_bytes, write_bytes

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and limits")

TEXT = """<ir_version: 10, opset_import: ["": 21], producer_name: "exporter", producer_version: "1.2",
    domain: "org.example", model_version: 7, doc_string: "A model.", metadata_props: ["author": "A", "task": "t"]>
    g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1.0, 2.0}, float[N, 2] t> {
      [first] t = Add(x, w)
      [last] y = Relu(t)
    }"""
WEIGHT = np.arange(512, dtype=np.float32)


@pytest.fixture
def model() -> ir.Model:
    return load_model(onnx.parser.parse_model(TEXT))


@pytest.fixture
def external(tmp_path: Path) -> ir.Model:
    """A model whose weight lies beside it, in `in/weights`."""
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[512] x) => (float[512] y) { y = Add(x, w) }'
    made = ir.from_onnx_text(text, initializers=[ir.tensor(WEIGHT, name="w")])
    (tmp_path / "in").mkdir()
    ir.save(made, tmp_path / "in" / "model.onnx", external_data="weights")
    return load_model(tmp_path / "in" / "model.onnx")


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: a write fails halfway, as on a full disk."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Whole or not at all.


def test_replaces_what_was_there(model: ir.Model, tmp_path: Path) -> None:
    (tmp_path / "out.onnx").write_bytes(b"old")
    save_model(model, tmp_path / "out.onnx")
    assert files(tmp_path) == ["out.onnx"]
    assert onnx.load(tmp_path / "out.onnx").producer_name == "exporter"


@posix
@pytest.mark.parametrize("old", [b"old", None], ids=["to a file", "to nothing yet"])
@pytest.mark.parametrize("which", ["model", "external"])
def test_a_link_stays_a_link(which: str, old: bytes | None, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    saved = request.getfixturevalue(which)
    real = tmp_path / "store" / "real.onnx"
    real.parent.mkdir()
    if old is not None:
        real.write_bytes(old)
    link = tmp_path / "link.onnx"
    link.symlink_to(real)
    save_model(saved, link)
    assert link.readlink() == real
    assert [path.name for path in tmp_path.glob("link*")] == ["link.onnx"]
    assert load_model(link).graph.outputs[0].name == "y"
    assert ort.InferenceSession(real, providers=["CPUExecutionProvider"]).get_outputs()[0].name == "y"


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_bytes(tmp_path / "pipe", b"content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@posix
def test_a_write_that_fails_halfway_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out.onnx").write_bytes(b"old")
    with small_disk(1000), pytest.raises(OutputError, match=r"^cannot write .*out\.onnx \(File too large\); "):
        write_bytes(tmp_path / "out.onnx", bytes(5000))
    assert files(tmp_path) == ["out.onnx"]
    assert (tmp_path / "out.onnx").read_bytes() == b"old"


@posix
def test_external_data_that_fails_halfway_leaves_nothing(external: ir.Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(1000), pytest.raises(OutputError, match=r"^cannot write .*out\.onnx \("):
        save_model(external, out / "out.onnx")
    assert files(out) == []


def test_a_graph_that_cannot_be_written_leaves_no_data(external: ir.Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "out.onnx").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"^cannot write .*out\.onnx \("):
        save_model(external, out / "out.onnx")
    assert files(out) == ["out.onnx"]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out.onnx").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "out.onnx", b"new")
    assert files(tmp_path) == ["out.onnx"]
    assert (tmp_path / "out.onnx").read_bytes() == b"old"


@pytest.mark.parametrize("where", ["no/such/folder/out.onnx", "file/out.onnx"])
@pytest.mark.parametrize("which", ["model", "external"])
def test_a_place_that_cannot_be_written(which: str, where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        save_model(request.getfixturevalue(which), tmp_path / where)
    assert re.fullmatch(r"cannot write .*out\.onnx \(.+\); name another place", str(caught.value))


@posix
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
@pytest.mark.parametrize("which", ["model", "external"])
def test_permissions_follow_the_umask(
    which: str, mask: int, mode: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    saved = request.getfixturevalue(which)
    (tmp_path / "out").mkdir()
    before = os.umask(mask)
    try:
        save_model(saved, tmp_path / "out" / "out.onnx")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {mode}


def test_bytes_are_the_same_every_time(model: ir.Model, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        save_model(model, tmp_path / name)
    save_model(load_model(tmp_path / "a.onnx"), tmp_path / "c.onnx")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


# What the model says of itself.


def test_the_model_keeps_what_it_says_of_itself(model: ir.Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "out.onnx")
    old, new = onnx.parser.parse_model(TEXT), onnx.load(tmp_path / "out.onnx")
    for said in ("producer_name", "producer_version", "domain", "model_version", "doc_string", "ir_version"):
        assert getattr(new, said) == getattr(old, said)
    assert {p.key: p.value for p in new.metadata_props} == {"author": "A", "task": "t"}
    assert [node.name for node in new.graph.node] == ["first", "last"]
    assert [*new.graph.input, *new.graph.output] == [*old.graph.input, *old.graph.output]


def test_value_info_is_gone_also_in_bodies(tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]> g (bool c, float[2] x) => (float[2] y) <float[2] h> {
          h = Relu(x)
          y = If (c) <
            then_branch = yes () => (float[2] a) <float[2] s> { s = Abs(h) a = Abs(s) },
            else_branch = no () => (float[2] b) { b = Neg(h) }
          >
        }"""
    )
    assert proto.graph.value_info
    assert proto.graph.node[1].attribute[0].g.value_info
    save_model(load_model(proto), tmp_path / "out.onnx")
    saved = onnx.load(tmp_path / "out.onnx").graph
    assert not saved.value_info
    assert not any(attribute.g.value_info for attribute in saved.node[1].attribute)


def test_metadata_of_initializers_is_not_doubled() -> None:
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer[0].metadata_props.add(key="source", value="layer1")
    for _ in range(3):
        proto = to_proto(load_model(proto))
    assert [(p.key, p.value) for p in proto.graph.initializer[0].metadata_props] == [("source", "layer1")]


def test_onnx_ir_still_doubles_metadata() -> None:
    """When this fails, the library was repaired, and `to_proto` need not mend it."""
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer[0].metadata_props.add(key="source", value="layer1")
    assert len(ir.to_proto(ir.from_proto(proto)).graph.initializer[0].metadata_props) == 2


def test_shapes_of_the_interface_stay_as_vague_as_they_are() -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[batch, ?, 3] x) => (float[batch, ?, 3] y, float[] s, float z) {
          y = Relu(x)
          s = ReduceSum <keepdims = 0> (x)
          z = Abs(s)
        }"""
    )
    proto.graph.output[2].type.tensor_type.ClearField("shape")
    proto.graph.output[1].doc_string = "The sum."
    saved = to_proto(load_model(proto)).graph
    assert saved.input == proto.graph.input
    assert saved.output == proto.graph.output
    assert not saved.output[2].type.tensor_type.HasField("shape")


@pytest.mark.parametrize("name", ["a/b:0", "x y", "größe", "层.1", "-", "Add(x, w)"])
def test_a_name_is_a_name(name: str, tmp_path: Path) -> None:
    proto = onnx.parser.parse_model(TEXT)
    del proto.graph.value_info[:]
    for node in proto.graph.node:
        node.name = f"{node.name} {name}"
        node.input[:] = [f"{name} {value}" for value in node.input]
        node.output[:] = [f"{name} {value}" for value in node.output]
    for named in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        named.name = f"{name} {named.name}"
    save_model(load_model(proto), tmp_path / "out.onnx")
    saved = onnx.load(tmp_path / "out.onnx").graph
    assert [(n.name, n.input, n.output) for n in saved.node] == [(n.name, n.input, n.output) for n in proto.graph.node]
    assert (saved.input, saved.output, saved.initializer[0].name) == (
        proto.graph.input,
        proto.graph.output,
        f"{name} w",
    )
    session = ort.InferenceSession(tmp_path / "out.onnx", providers=["CPUExecutionProvider"])
    x = np.array([[-3.0, 1.0]], np.float32)
    np.testing.assert_array_equal(session.run([f"{name} y"], {f"{name} x": x})[0], [[0.0, 3.0]])


# Weights beside the model.


def test_external_stays_external_under_a_name_made_from_the_content(external: ir.Model, tmp_path: Path) -> None:
    for folder in ("out", "again"):
        (tmp_path / folder).mkdir()
        save_model(external, tmp_path / folder / "out.onnx")
    data, graph = files(tmp_path / "out")[::-1]
    assert graph == "out.onnx"
    assert re.fullmatch(r"out\.onnx\.[0-9a-f]{12}\.data", data)
    assert files(tmp_path / "again") == files(tmp_path / "out")
    assert (tmp_path / "again" / graph).read_bytes() == (tmp_path / "out" / graph).read_bytes()


def test_external_data_goes_along_into_another_folder(external: ir.Model, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    save_model(external, tmp_path / "out" / "out.onnx")
    for file in (tmp_path / "in").iterdir():
        file.unlink()
    loaded = load_model(tmp_path / "out" / "out.onnx")
    np.testing.assert_array_equal(constant(loaded.graph.initializers["w"]), WEIGHT)
    session = ort.InferenceSession(tmp_path / "out" / "out.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": WEIGHT})[0], 2 * WEIGHT)


def test_saved_over_itself(external: ir.Model, tmp_path: Path) -> None:
    """The old data stays: whoever has the old model open still reads it."""
    save_model(external, tmp_path / "in" / "model.onnx")
    loaded = load_model(tmp_path / "in" / "model.onnx")
    np.testing.assert_array_equal(constant(loaded.graph.initializers["w"]), WEIGHT)


def test_saving_external_data_leaves_the_model_as_it_is(external: ir.Model, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    save_model(external, tmp_path / "out" / "out.onnx")
    kept = external.graph.initializers["w"].const_value
    assert isinstance(kept, ir.ExternalTensor)
    assert kept.location == "weights"


def test_external_where_that_is_asked_for(model: ir.Model, tmp_path: Path) -> None:
    model.graph.initializers["w"].const_value = ir.tensor(np.ones(99, np.float32), name="w")
    save_model(model, tmp_path / "out.onnx", external=True)
    assert len(files(tmp_path)) == 2
    assert saved_size(model, external=True) == pytest.approx(sum(f.stat().st_size for f in tmp_path.iterdir()), abs=300)


def test_saved_size(model: ir.Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "out.onnx")
    assert saved_size(model) == (tmp_path / "out.onnx").stat().st_size


def test_data_folder(model: ir.Model, external: ir.Model, tmp_path: Path) -> None:
    assert data_folder(model) is None
    assert data_folder(external) == tmp_path / "in"


def test_weight_bytes(model: ir.Model, external: ir.Model) -> None:
    assert weight_bytes(model) == 8
    assert weight_bytes(external) == WEIGHT.nbytes
