"""Input that cannot be used: one line, exit 1, and nothing on disk is touched."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx import numpy_helper

Run = Callable[..., Result]

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX links, rights and signals")

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1, "org.example": 1]> g'
CONV = "(float[N,1,4,4] x) => (float[N,1,4,4] y) <float[1,1,1,1] w = {2.0}> { [only] y = Conv(x, w) }"
OLD = b"what was there before"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a good model, data that fit it, and an OUT from before."""
    monkeypatch.chdir(tmp_path)
    save("good.onnx", model(CONV))
    write_data(x=np.ones((1, 1, 4, 4), np.float32))
    Path("out.onnx").write_bytes(OLD)
    return tmp_path


@pytest.fixture
def refused(here: Path, qcompile_: Run) -> Iterator[Callable[..., str]]:
    """`refused(model, *words)`: the line that `qcompile MODEL --calib data -o out.onnx` ends in.

    It is the only line, the exit code is 1, and every file in the folder is as it was.
    """

    def said(name: str, *words: str) -> str:
        before = contents(here)
        result = qcompile_(name, *(words or ("--calib", "data")), "-o", "out.onnx", "-q")
        assert result.exit_code == 1
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        assert "internal error" not in line
        assert contents(here) == before
        return line.removeprefix("error: ")

    yield said
    assert Path("out.onnx").read_bytes() == OLD


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below the folder, hidden ones too, with the bytes of files."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


def model(graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"{HEAD} {graph}")


def save(name: str, proto: onnx.ModelProto) -> str:
    Path(name).write_bytes(proto.SerializeToString())
    return name


def write_data(**arrays: Any) -> None:
    shutil.rmtree("data", ignore_errors=True)
    Path("data").mkdir()
    for number in range(2):
        np.savez(f"data/{number}.npz", **arrays)


def test_what_is_good_is_not_refused(here: Path, qcompile_: Run) -> None:
    assert qcompile_("good.onnx", "--calib", "data", "-o", "out.onnx").exit_code == 0
    assert onnx.load("out.onnx").graph.node


# The file.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no graph in bad.onnx (empty file"),
        (b"just a text, and long enough", "no readable ONNX model in bad.onnx (truncated, or another kind of file)"),
        (bytes(np.random.default_rng(0).integers(0, 256, 9999, np.uint8)), "no readable ONNX model in bad.onnx"),
        (model(CONV).SerializeToString()[:-7], "no readable ONNX model in bad.onnx"),
    ],
    ids=["empty", "text", "random", "truncated"],
)
def test_no_model(content: bytes, said: str, refused: Callable[..., str]) -> None:
    Path("bad.onnx").write_bytes(content)
    assert refused("bad.onnx").startswith(said)


def test_missing_file(refused: Callable[..., str]) -> None:
    assert refused("nowhere.onnx") == "no model in nowhere.onnx (No such file or directory); check the path"


@pytest.mark.parametrize("folder", ["data", ".", "..", os.sep])
def test_folder(folder: str, refused: Callable[..., str], qcompile_: Run) -> None:
    assert refused(folder).startswith(f"no model in {folder} (it is a folder)")
    result = qcompile_(folder, "--no-calib")
    assert result.stderr == f"error: no model in {folder} (it is a folder); name the .onnx file in it\n"


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_file_without_rights(refused: Callable[..., str], qcompile_: Run) -> None:
    Path("good.onnx").chmod(0)
    result = qcompile_("good.onnx", "-q", "-o", "out.onnx")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        ["error: no model in good.onnx (Permission denied); check the path"],
    )


# The graph.


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("(float[1] x) => (float[1] x) { }", r"empty graph in bad\.onnx"),
        ("(float[1] x) => () { y = Abs(x) }", r"no outputs in bad\.onnx"),
        (
            "(float[1] x) => (float[1] y) { [here] y = Abss(x) }",
            r"unknown operator ai\.onnx:Abss \(node 'here'\) \(onnxruntime has no such operator\); ",
        ),
        (
            "(float[1] x) => (float[1] y) { [there] y = org.example.Abs(x) }",
            r"unknown operator org\.example:Abs \(node 'there'\) \(onnxruntime has no such operator\); ",
        ),
        (
            "(float[1] x) => (float[1] y) { [m] t = Abs(x) [n] y = Add(t, nobody) }",
            r"dangling value 'nobody' in bad\.onnx \(read by node 'n', made by nobody\)",
        ),
        ("(float[1] x) => (float[1] y, float[1] z) { y = Abs(x) }", r"dangling output 'z' in bad\.onnx"),
        ("(float[1] x) => (float[1] y) { y = Abs(x) y = Neg(x) }", r"duplicate value 'y' in bad\.onnx \(made twice\)"),
        (
            "(float[1] x) => (float[1] y) <float[1] w = {1.0}, float[1] w = {2.0}> { y = Add(x, w) }",
            r"duplicate initializer 'w' in bad\.onnx",
        ),
        (
            "(float[1] x) => (float[1] y) { [same] t = Abs(x) [same] y = Neg(t) }",
            r"duplicate node name 'same' in bad\.onnx \(two nodes\)",
        ),
        (
            "(float[1] x) => (float[1] y) { y = Add(x, t) t = Neg(y) }",
            r"cycle in bad\.onnx \(a value is made of itself\)",
        ),
    ],
)
def test_broken_graph(graph: str, said: str, refused: Callable[..., str]) -> None:
    assert re.match(said, refused(save("bad.onnx", model(graph))))


def test_no_opset(refused: Callable[..., str]) -> None:
    bad = model(CONV)
    del bad.opset_import[:]
    assert refused(save("bad.onnx", bad)).startswith("no opset_import for the standard domain in bad.onnx (")


def test_opset_of_the_future(refused: Callable[..., str]) -> None:
    bad = model(CONV)
    bad.opset_import[0].version = 9999
    assert "9999" in refused(save("bad.onnx", bad))


def test_nan_in_a_weight(refused: Callable[..., str]) -> None:
    bad = model(CONV)
    bad.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), np.nan, np.float32), "w"))
    assert refused(save("bad.onnx", bad)) == "NaN in weight 'w' of bad.onnx; train or export the model again"


def test_shapes_that_do_not_meet(refused: Callable[..., str]) -> None:
    bad = model("(float[1,3] x) => (float[1,2] y) <float[2,2] w = {1.0, 1.0, 1.0, 1.0}> { [n] y = MatMul(x, w) }")
    assert "onnxruntime refuses the model" in refused(save("bad.onnx", bad))


# Weights beside the model.


def external(location: str) -> onnx.ModelProto:
    """A model whose weight lies in another file."""
    proto = model(CONV)
    tensor = proto.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return proto


def test_external_data_missing(refused: Callable[..., str]) -> None:
    line = refused(save("bad.onnx", external("weights")))
    assert line.startswith("external data unusable for weight 'w' of bad.onnx ('weights': no such file")


@pytest.mark.parametrize("location", ["../weights", "data/../../weights", "/etc/hostname"])
def test_external_data_outside(location: str, refused: Callable[..., str], here: Path) -> None:
    (here.parent / "weights").write_bytes(np.float32(2).tobytes())
    line = refused(save("bad.onnx", external(location)))
    assert line.startswith(f"external data outside the model's folder for weight 'w' of bad.onnx ('{location}')")


@posix
@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic link", "hard link"])
def test_external_data_outside_through_a_link(
    make: Callable[[Path, str], None], refused: Callable[..., str], here: Path
) -> None:
    (here.parent / "weights").write_bytes(np.float32(2).tobytes())
    make(here.parent / "weights", "weights")
    line = refused(save("bad.onnx", external("weights")))
    assert re.match(r"external data (outside the model's folder|unusable) for weight 'w' of bad\.onnx \(", line)


# The output.


def test_no_folder_for_the_output(here: Path, qcompile_: Run) -> None:
    result = qcompile_("good.onnx", "--calib", "data", "-o", "no/out.onnx", "-q")
    assert result.exit_code == 1
    line = "error: cannot write no/out.onnx (no folder no); name another place with -o\n"
    assert result.stderr == line.replace("/", os.sep)
    assert not Path("no").exists()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_rights(here: Path, qcompile_: Run) -> None:
    Path("locked").mkdir(0o500)
    result = qcompile_("good.onnx", "--calib", "data", "-o", "locked/out.onnx", "-q")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        ["error: cannot write locked/out.onnx (Permission denied); name another place with -o"],
    )


def test_the_output_is_a_folder(refused: Callable[..., str], here: Path, qcompile_: Run) -> None:
    Path("folder.onnx").mkdir()
    before = contents(here)
    result = qcompile_("good.onnx", "--calib", "data", "-o", "folder.onnx", "-q")
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1
    assert line.startswith("error: cannot write folder.onnx (")
    assert contents(here) == before


@pytest.mark.parametrize("name", ["good.onnx", "nothing.onnx"])
@pytest.mark.parametrize("failure", ["fsync", "replace"])
def test_full_disk(name: str, failure: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the bytes reach the disk, and when the name does; also where the model is only copied."""

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save("nothing.onnx", model("(float[N,1,4,4] x) => (float[N,1,4,4] y) { y = Erf(x) }"))
    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[failure], full)
    assert refused(name) == "cannot write out.onnx (No space left on device); name another place"


KILLED = """
import os, signal, sys
from qcompile.cli import main
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(*{moment}, die)
main(["good.onnx", "--calib", "data", "-o", "out.onnx", "-q"])
"""


@posix
def test_killed_while_writing(here: Path) -> None:
    """The old file is there whole; only a hidden file beside it may be left, which no pattern for models takes."""
    code = KILLED.format(moment="(os, 'fsync')")
    ended = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    assert Path("out.onnx").read_bytes() == OLD
    assert sorted(path.name for path in here.glob("*.onnx")) == ["good.onnx", "out.onnx"]


# The data.


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"z": np.ones((1, 1, 4, 4), np.float32)}, r"no array for input 'x' in data/0\.npz \(it holds 'z'\)"),
        (
            {"x": np.ones((1, 1, 4, 4), np.float32), "z": np.ones(3)},
            r"unknown array 'z' in data/0\.npz \(the model's inputs: 'x'\)",
        ),
        ({"x": np.ones((1, 1, 5, 4), np.float32)}, r"wrong shape of 'x' in data/0\.npz \(.*1,1,5,4.*1,4,4"),
        ({"x": np.ones((4, 4), np.float32)}, r"wrong shape of 'x' in data/0\.npz \(.*4,4.*1,4,4"),
        (
            {"x": np.ones((1, 1, 4, 4), np.uint8)},
            r"wrong type of 'x' in data/0\.npz \(uint8, the model wants float32\)",
        ),
        ({"x": np.array([{"code": 1}], object)}, r"pickled objects in 'x' of data/0\.npz \(they could run code\)"),
        ({"x": np.full((1, 1, 4, 4), np.nan, np.float32)}, r".*NaN in input 'x' of data/0\.npz; leave that"),
        ({"x": np.full((1, 1, 4, 4), 3e38, np.float32)}, r".*infinite in tensor 'y' on data/0\.npz \("),
    ],
    ids=["other name", "one too many", "other side", "other rank", "other type", "pickle", "NaN", "overflow"],
)
def test_data_that_do_not_fit(arrays: dict[str, Any], said: str, refused: Callable[..., str]) -> None:
    write_data(**arrays)
    assert re.match(said.replace("/", re.escape(os.sep)), refused("good.onnx"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nowhere.npz", None, "nowhere.npz"),
        ("text.npz", b"no archive", "unreadable data in text.npz ("),
        ("empty.npz", b"", "unreadable data in empty.npz ("),
        ("odd.txt", b"1 2 3", "odd.txt"),
    ],
)
def test_no_data(name: str, content: bytes | None, said: str, refused: Callable[..., str]) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    assert said in refused("good.onnx", "--calib", name)


def test_an_empty_folder(refused: Callable[..., str]) -> None:
    Path("none").mkdir()
    assert refused("good.onnx", "--calib", "none").startswith("no data in none (expected a .npz file, a folder of")


def test_a_pickle_runs_nothing(refused: Callable[..., str]) -> None:
    class Trap:
        """Leaves a file when it is unpickled."""

        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (Path("sprung"),))

    np.savez("trap.npz", x=np.array([Trap()], object))
    assert refused("good.onnx", "--calib", "trap.npz").startswith("pickled objects in 'x' of trap.npz")
    assert not Path("sprung").exists()
