"""Every form of data gives the same feeds; what is no data is one line."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from qcompile.calibrate.sources import Feeds, InputSpec, open_feeds
from qcompile.calibrate.sources.npz import read_arrays, write_arrays
from qcompile.errors import CalibrationError

F32 = np.dtype(np.float32)
SPECS = [InputSpec("a/b:0", F32, ("batch", 2, 3)), InputSpec("file", np.dtype(np.int64), ())]
"""A name is a name, also where it looks like a path or like a parameter of numpy.savez."""


def samples(count: int = 10) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"a/b:0": rng.normal(size=(1, 2, 3)).astype(np.float32), "file": np.array(i)} for i in range(count)]


def in_npz_folder(folder: Path) -> Path:
    for number, sample in enumerate(samples()):
        write_arrays(folder / f"{number:03}.npz", sample)
    (folder / "._000.npz").write_bytes(b"what some systems leave beside a file")
    return folder


def in_one_npz(folder: Path) -> Path:
    stacked = {name: np.stack([sample[name] for sample in samples()]) for name in samples(1)[0]}
    write_arrays(folder / "all.npz", stacked)
    return folder / "all.npz"


def in_one_npz_by_batch(folder: Path) -> Path:
    write_arrays(
        folder / "all.npz",
        {"a/b:0": np.concatenate([sample["a/b:0"] for sample in samples()]), "file": np.arange(10)},
    )
    return folder / "all.npz"


def in_onnx_folder(folder: Path) -> Path:
    for number, sample in enumerate(samples()):  # 10 comes after 9, not after 1
        data_set = folder / f"test_data_set_{number + 1}"
        data_set.mkdir()
        for place, array in enumerate(sample.values()):
            (data_set / f"input_{place}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
        (data_set / "output_0.pb").write_bytes(b"not read")
    return folder


def in_python_file(folder: Path) -> str:
    in_npz_folder(folder)
    source = """
        from pathlib import Path
        import numpy as np
        def feeds():
            for path in sorted(Path(__file__).parent.glob("[0-9]*.npz")):
                yield {name: array for name, array in np.load(path).items()}
    """
    (folder / "data.py").write_text("\n".join(line[8:] for line in source.splitlines()))
    return f"{folder / 'data.py'}:feeds"


def in_a_list(folder: Path) -> Sequence[object]:
    return samples()


def in_a_generator(folder: Path) -> Iterator[object]:
    return (sample for sample in samples())


def in_feeds(folder: Path) -> Feeds:
    return open_feeds(samples(), SPECS)


FORMS = [
    in_npz_folder,
    in_one_npz,
    in_one_npz_by_batch,
    in_onnx_folder,
    in_python_file,
    in_a_list,
    in_a_generator,
    in_feeds,
]


def assert_equal(feeds: Sequence[object], expected: Sequence[object]) -> None:
    assert len(feeds) == len(expected)
    for feed, sample in zip(feeds, expected, strict=True):
        np.testing.assert_equal(feed, sample)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_feeds_again_and_again(form, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    feeds = open_feeds(form(tmp_path), SPECS)
    assert_equal(feeds, samples())
    assert_equal(feeds, samples())
    np.testing.assert_equal(feeds[-1], samples()[-1])
    assert_equal(feeds[1::4], samples()[1::4])
    assert all(list(feed) == ["a/b:0", "file"] for feed in feeds)


@pytest.mark.parametrize("form", FORMS)
def test_fewer_samples_are_evenly_spaced(form, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    feeds = open_feeds(form(tmp_path), SPECS, max_samples=5)
    assert [int(feed["file"]) for feed in feeds] == [0, 2, 4, 6, 8]


def test_the_runtime_takes_what_was_read(tmp_path: Path) -> None:
    feed = open_feeds(in_npz_folder(tmp_path), SPECS)[3]
    value = ort.OrtValue.ortvalue_from_numpy(feed["a/b:0"])
    np.testing.assert_array_equal(value.numpy(), samples()[3]["a/b:0"])


def test_one_archive_serves_a_fixed_batch_and_a_shared_scalar(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(12, 2)
    np.savez_compressed(tmp_path / "d.npz", x=np.asfortranarray(x), sr=np.array(16000))
    specs = [InputSpec("x", F32, (4, 2)), InputSpec("sr", np.dtype(np.int64), ())]
    feeds = open_feeds(tmp_path / "d.npz", specs)
    np.testing.assert_array_equal(np.concatenate([feed["x"] for feed in feeds]), x)
    assert [int(feed["sr"]) for feed in feeds] == [16000] * 3


def test_a_single_feed_and_an_input_of_unknown_rank(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((1, 5), np.float32))
    assert [feed["x"].shape for feed in open_feeds(tmp_path / "d.npz", [InputSpec("x", F32, None)])] == [(1, 5)]


def test_a_test_data_set_can_be_named_itself(tmp_path: Path) -> None:
    assert len(open_feeds(in_onnx_folder(tmp_path) / "test_data_set_3", SPECS)) == 1


def test_files_are_read_one_at_a_time_and_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        np.savez(tmp_path / f"{number:02}.npz", x=np.zeros((1, 250_000), np.float32))
    read: list[Path] = []

    def counted(path: Path) -> dict[str, np.ndarray]:
        read.append(path)
        return read_arrays(path)

    monkeypatch.setattr("qcompile.calibrate.sources.npz_folder.read_arrays", counted)
    tracemalloc.start()
    try:
        feeds = open_feeds(tmp_path, [InputSpec("x", F32, ("n", 250_000))])
        assert read == []  # checked by the headers
        for number, feed in enumerate(feeds):
            assert len(read) == number + 1
            del feed
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_one_archive_is_streamed(save, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save(tmp_path / "d.npz", x=np.zeros((50, 250_000), np.float32))
    tracemalloc.start()
    try:
        for feed in open_feeds(tmp_path / "d.npz", [InputSpec("x", F32, (250_000,))]):
            assert feed["x"].shape == (250_000,)
            del feed
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_generator_is_read_once_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    feeds = open_feeds(in_a_generator(tmp_path), SPECS)
    assert_equal(feeds, samples())
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 10
    del feeds
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_long_generator_is_thinned_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    most = 0

    def long() -> Iterator[object]:
        nonlocal most
        for sample in samples(100):
            yield sample
            most = max(most, len(list(tmp_path.glob("*/*.npz"))))

    feeds = open_feeds(long(), SPECS, max_samples=8)
    assert most <= 16
    assert [int(feed["file"]) for feed in feeds] == [0, 8, 24, 32, 48, 64, 72, 88]  # of every eighth


def test_strings_survive_the_temporary_folder() -> None:
    specs = [InputSpec("text", np.dtype(object), ("n",))]
    feeds = open_feeds(iter([{"text": ["one", "two"]}, {"text": ["three"]}]), specs)
    assert [list(feed["text"]) for feed in feeds] == [["one", "two"], ["three"]]


def test_running_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    name = in_python_file(tmp_path)
    before = sorted(tmp_path.iterdir())
    open_feeds(name, SPECS)
    assert sorted(tmp_path.iterdir()) == before


X = [InputSpec("x", F32, ("n", 2))]


def refused(line: str, data: object, specs: Sequence[InputSpec] = X, **options: object) -> None:
    """`FOLDER` in the expected line stands for any folder."""
    pattern = re.escape(line).replace("FOLDER", r"[^\n()]*")
    with pytest.raises(CalibrationError, match=f"^{pattern}$") as caught:
        open_feeds(data, specs, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


EXPECTED = "a .npz file, a folder of .npz files, images or test_data_set_*, or FILE.py:FUNC"


def test_what_is_no_data_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to read")
    refused("no data at FOLDERnone.npz (no such file or folder); check the path", tmp_path / "none.npz")
    refused(f"no data in FOLDERnotes.txt (expected {EXPECTED})", tmp_path / "notes.txt")
    refused(f"no data in FOLDER (expected {EXPECTED})", str(tmp_path))
    refused(f"no data in the data (int) (expected {EXPECTED}, or an iterable of dicts)", 3)
    refused("no samples in the data (list) (it is empty)", [])
    refused("no samples in the data (generator) (it is empty)", (sample for sample in samples(0)))
    refused("one feed instead of many (a dict); put it in a list", {"x": np.ones((1, 2), np.float32)})
    refused("no images in the data (list) (--preprocess is for a folder of images)", [], preprocess="crop=8")
    refused("no images in FOLDER (--preprocess is for a folder of images)", tmp_path, preprocess="crop=8")


def test_a_misfit_names_the_file_or_the_sample(tmp_path: Path) -> None:
    good, bad = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)
    np.savez(tmp_path / "0.npz", x=good)
    np.savez(tmp_path / "1.npz", x=bad)
    wanted = "([1,3], the model wants [n,2])"
    refused(f"wrong shape of 'x' in FOLDER1.npz {wanted}", tmp_path)
    refused(f"wrong shape of 'x' in FOLDER1.npz sample 0 {wanted}", tmp_path / "1.npz")
    refused(f"wrong shape of 'x' in sample 1 {wanted}", [{"x": good}, {"x": bad}])
    refused(f"wrong shape of 'x' in sample 1 {wanted}", iter([{"x": good}, {"x": bad}]))
    refused("no feed in sample 0 (ndarray, not a dict of name to array)", [good])
    with pytest.raises(CalibrationError, match=r"^no array for 'x' in sample 0 \(.*inhomogeneous.*\)$"):
        open_feeds([{"x": [[1], [1, 2]]}], X)


def test_rows_that_do_not_count_alike(tmp_path: Path) -> None:
    specs = [*X, InputSpec("y", F32, (4,))]
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2), np.float32), y=np.ones(8, np.float32))
    refused("different numbers of samples in FOLDERd.npz (3 for 'x', 2 for 'y')", tmp_path / "d.npz", specs)
    np.savez(tmp_path / "d.npz", x=np.ones((2, 2), np.float32), y=np.ones(9, np.float32))
    line = "wrong number of rows of 'y' in FOLDERd.npz (9, the model takes 4 at a time)"
    refused(line, tmp_path / "d.npz", specs)


def test_damaged_tensors(tmp_path: Path) -> None:
    data_set = tmp_path / "test_data_set_0"
    data_set.mkdir()
    tensor = numpy_helper.from_array(np.ones((1, 2), np.float32))
    file = data_set / "input_0.pb"
    file.write_bytes(b"\xff" * 20)
    with pytest.raises(CalibrationError, match=r"^no readable tensor in .*input_0\.pb \(.*\); write the file again$"):
        open_feeds(tmp_path, X)
    tensor.data_location = TensorProto.EXTERNAL
    file.write_bytes(tensor.SerializeToString())
    line = "no readable tensor in FOLDERinput_0.pb (its data lies in another file); write the file again"
    refused(line, tmp_path)
    tensor.data_location = TensorProto.DEFAULT
    for place in (0, 1):
        (data_set / f"input_{place}.pb").write_bytes(tensor.SerializeToString())
    refused("too many inputs in FOLDERtest_data_set_0 (2, the model has 1)", tmp_path)


FAILING = """
import sys
def none(): pass
def early(): raise ValueError("first line\\nsecond line")
def late():
    yield {"x": [[1.0, 2.0]]}
    raise KeyError("more")
def leaves(): sys.exit(3)
def leaves_late():
    yield {"x": [[1.0, 2.0]]}
    sys.exit("enough")
three = 3
"""


def test_a_function_that_fails_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "data.py"
    file.write_text(FAILING)
    refused("FOLDERdata.py:none returned no feeds (NoneType); return an iterable of dicts", f"{file}:none")
    refused("FOLDERdata.py:early failed (ValueError: first line)", f"{file}:early")
    refused("FOLDERdata.py:late failed at sample 1 (KeyError: 'more')", f"{file}:late")
    refused("FOLDERdata.py:leaves failed (SystemExit: 3)", f"{file}:leaves")
    refused("FOLDERdata.py:leaves_late failed at sample 1 (SystemExit: enough)", f"{file}:leaves_late")
    refused("no function 'three' in FOLDERdata.py; define one that returns feeds", f"{file}:three")
    refused("no function 'gone' in FOLDERdata.py; define one that returns feeds", f"{file}:gone")
    file.write_text("def f(:\n")
    refused("FOLDERdata.py failed (SyntaxError: invalid syntax (data.py, line 1))", f"{file}:f")
    file.write_text("raise SystemExit(0)\n")
    refused("FOLDERdata.py failed (SystemExit: 0)", f"{file}:f")
    with pytest.raises(CalibrationError, match=r"^no data in .*gone\.py:f \(FileNotFoundError.*\); check the path$"):
        open_feeds(f"{tmp_path / 'gone.py'}:f", X)


def test_links_out_of_the_folder_are_refused_and_inside_it_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "data"
    outside.mkdir()
    folder.mkdir()
    np.savez(outside / "o.npz", x=np.ones((1, 2), np.float32))
    np.savez(folder / "0.npz", x=np.ones((1, 2), np.float32))
    try:
        (folder / "1.npz").symlink_to("0.npz")
        (tmp_path / "named").symlink_to(folder)
    except OSError:
        pytest.skip("no right to make links")
    assert len(open_feeds(tmp_path / "named", X)) == 2
    (folder / "2.npz").symlink_to(outside / "o.npz")
    refused("link out of the folder in FOLDER2.npz (refused); name the folder that it leads to", folder)
