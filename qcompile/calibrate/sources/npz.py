"""Archives of arrays, read with care: headers before data, never a pickle, never more than a header may claim."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from qcompile.calibrate.sources.spec import Form
from qcompile.errors import CalibrationError

LARGEST = 4 << 30
"""Bytes of one array beyond which it is taken for a decompression bomb."""

_SUFFIX = ".npy"


class Member:
    """One array of an archive: its header is read at once, its data when asked for, all of it or some rows."""

    def __init__(self, stream: IO[bytes], name: str, path: Path) -> None:
        self._stream, self._name = stream, name
        self.form, self._fortran = _header(stream)
        self._start = stream.tell()
        if self.form.dtype.hasobject:
            raise CalibrationError(f"pickled objects in {name!r} of {path} (they could run code); save plain arrays")
        self.nbytes = math.prod(self.form.shape) * self.form.dtype.itemsize
        if self.nbytes > LARGEST:
            claim = f"its header claims {self.nbytes / 2**30:.0f} GiB"
            raise CalibrationError(f"array {name!r} too large in {path} ({claim}); split it into files")

    def read(self) -> np.ndarray:
        """The whole array."""
        self._stream.seek(self._start)
        dtype, shape = self.form
        return np.ndarray(shape, dtype, self._bytes(self.nbytes), order="F" if self._fortran else "C")

    def rows(self, start: int, count: int) -> np.ndarray:
        """Rows of the first axis. Forward reading costs no more than the rows; going back starts the stream anew."""
        if self._fortran:  # a row is scattered over the whole array
            return self.read()[start : start + count]
        dtype, shape = self.form
        row = math.prod(shape[1:]) * dtype.itemsize
        self._stream.seek(self._start + start * row)
        return np.ndarray((count, *shape[1:]), dtype, self._bytes(count * row))

    def _bytes(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise ValueError(f"array {self._name!r} is truncated")
        return data


def _header(stream: IO[bytes]) -> tuple[Form, bool]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(stream)
    if version not in readers:  # 3.0 is for structured types, which no model takes
        raise ValueError(f"array format {version}")
    shape, fortran, dtype = readers[version](stream)
    if min(shape, default=0) < 0:
        raise ValueError("negative dimension")
    return Form(dtype, shape), fortran


@contextmanager
def members(path: Path) -> Iterator[dict[str, Member]]:
    """The arrays of an archive by name, in its order; closed afterwards, whatever happens."""
    with zipfile.ZipFile(path) as archive, ExitStack() as streams:
        yield {
            name.removesuffix(_SUFFIX): Member(
                streams.enter_context(archive.open(name)), name.removesuffix(_SUFFIX), path
            )
            for name in archive.namelist()
        }


def read_forms(path: Path) -> dict[str, Form]:
    """Type and shape of every array of an archive; no data is read."""
    with readable(path), members(path) as found:
        return {name: member.form for name, member in found.items()}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an archive. Raises CalibrationError where one is a pickle, damaged, or claims to be huge."""
    with readable(path), members(path) as found:
        return {name: member.read() for name, member in found.items()}


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An archive that `read_arrays` reads. Any name will do, where `numpy.savez` takes none called `file`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            plain = array.astype(str) if array.dtype.hasobject else array
            with archive.open(name + _SUFFIX, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, plain, allow_pickle=False)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside is one line that names the file."""
    try:
        yield
    except CalibrationError:
        raise
    except Exception as error:  # zip, its codecs and the parser of headers raise a dozen unrelated types
        why = str(error).partition("\n")[0] or type(error).__name__
        raise CalibrationError(f"unreadable data in {path} ({why}); write the file again") from error
