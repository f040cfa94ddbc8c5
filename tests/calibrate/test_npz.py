"""Archives that lie, hide code, or are broken."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qcompile.calibrate.sources.npz import read_arrays, read_forms, write_arrays
from qcompile.errors import CalibrationError


def claimed(shape: tuple[int, ...]) -> bytes:
    """A header with no data behind it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archive(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x.npy", content)
    return path


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3, np.int8),
        np.zeros((0, 4), np.float16),
        np.array([True, False]),
        np.array([1, 2], ">i4"),
    ],
)
def test_what_is_written_is_read(array: np.ndarray, tmp_path: Path) -> None:
    write_arrays(tmp_path / "d.npz", {"x": array})
    (form,) = read_forms(tmp_path / "d.npz").values()
    assert (form.dtype, form.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read_arrays(tmp_path / "d.npz")["x"], array, strict=True)
    np.testing.assert_array_equal(np.load(tmp_path / "d.npz")["x"], array)


class Trap:
    """Would make a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([Trap(tmp_path / "sprung")], dtype=object))
    line = r"^pickled objects in 'x' of .*d\.npz \(they could run code\); save plain arrays$"
    for read in (read_forms, read_arrays):
        with pytest.raises(CalibrationError, match=line):
            read(tmp_path / "d.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_header_that_claims_too_much_is_refused_before_the_data(tmp_path: Path) -> None:
    path = archive(tmp_path / "d.npz", claimed((1 << 20, 1 << 12)))
    line = r"^array 'x' too large in .*d\.npz \(its header claims 16 GiB\); split it into files$"
    with pytest.raises(CalibrationError, match=line):
        read_arrays(path)


BROKEN = {
    "truncated": claimed((3,)) + b"\0" * 8,
    "negative": claimed((-3,)),
    "no array": b"plain text",
    "empty": b"",
    "open bracket": b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': (('<f4",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_member_is_one_line(kind: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "d.npz", BROKEN[kind])
    with pytest.raises(CalibrationError, match=r"^unreadable data in .*d\.npz \([^\n]+\); write the file again$"):
        read_arrays(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_is_read_or_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.arange(50.0), y=np.ones((2, 2)))
    content = bytearray((tmp_path / "d.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "bad.npz").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    line = ""
    try:
        read_arrays(tmp_path / "bad.npz")
    except CalibrationError as error:
        line = str(error)
    assert not line or "bad.npz" in line
    assert "\n" not in line
