"""DATA as the user names it: which of the forms it is, and the feeds in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qcompile.calibrate.sources.feeds import Feeds, Source, evenly_spaced
from qcompile.calibrate.sources.folder import files
from qcompile.calibrate.sources.images import SUFFIXES, ImageFolder
from qcompile.calibrate.sources.iterable import Listed, Spool
from qcompile.calibrate.sources.npz_folder import NpzFolder
from qcompile.calibrate.sources.npz_rows import NpzRows
from qcompile.calibrate.sources.onnx_folder import OnnxFolder, data_sets
from qcompile.calibrate.sources.preprocess import parse_preprocess
from qcompile.calibrate.sources.python_file import call, function_name
from qcompile.calibrate.sources.spec import InputSpec, check
from qcompile.errors import CalibrationError

_EXPECTED = "a .npz file, a folder of .npz files, images or test_data_set_*, or FILE.py:FUNC"


def open_feeds(
    data: object, specs: Sequence[InputSpec], *, preprocess: str | None = None, max_samples: int | None = None
) -> Feeds:
    """The samples in `data`, names, types and shapes of all of them checked against the model's inputs.

    Args:
        data: a path or text that names a folder of .npz files, one .npz, a folder of images, a folder of
            test_data_set_*, or `FILE.py:FUNC`; or an iterable of mappings from name to array.
        specs: the model's inputs.
        preprocess: how images become inputs (see `Preprocess`); for a folder of images only.
        max_samples: take at most so many samples, at even distances.

    Raises CalibrationError in one line that names file or sample, array, and what was wanted.
    """
    source = _source(data, specs, preprocess, max_samples)
    if not len(source):
        raise CalibrationError(f"no samples in {_shown(data)} (it is empty)")
    picked = evenly_spaced(len(source), max_samples)
    for index in picked:
        check(specs, source.forms(index), source.where(index))
    return Feeds(source, specs, picked)


def _source(data: object, specs: Sequence[InputSpec], preprocess: str | None, limit: int | None) -> Source:
    path = Path(data) if isinstance(data, str | Path) else None
    if path is not None and path.is_dir():
        return _folder(path, specs, preprocess)
    if preprocess is not None:
        raise CalibrationError(f"no images in {_shown(data)} (--preprocess is for a folder of images)")
    if path is not None:
        return _file(path, specs, limit)
    if isinstance(data, Mapping):
        raise CalibrationError("one feed instead of many (a dict); put it in a list")
    if isinstance(data, Sequence):
        return Listed(data, specs)
    if isinstance(data, Iterable):
        return Spool(data, specs, "", limit)
    raise CalibrationError(f"no data in {_shown(data)} (expected {_EXPECTED}, or an iterable of dicts)")


def _folder(folder: Path, specs: Sequence[InputSpec], preprocess: str | None) -> Source:
    if preprocess is not None:
        steps = parse_preprocess(preprocess)
        if images := files(folder, SUFFIXES):
            return ImageFolder(images, steps, specs)
        raise CalibrationError(f"no images in {folder} (--preprocess is for a folder of images)")
    if archives := files(folder, [".npz"]):
        return NpzFolder(archives)
    if sets := data_sets(folder):
        return OnnxFolder(folder, sets, specs)
    if files(folder, SUFFIXES):
        raise CalibrationError(f"images without instructions in {folder}; add --preprocess resize=256,crop=224,...")
    raise CalibrationError(f"no data in {folder} (expected {_EXPECTED})")


def _file(path: Path, specs: Sequence[InputSpec], limit: int | None) -> Source:
    if name := function_name(str(path)):
        return Spool(call(name), specs, str(name), limit)
    if not path.exists():
        raise CalibrationError(f"no data at {path} (no such file or folder); check the path")
    if path.suffix.lower() != ".npz":
        raise CalibrationError(f"no data in {path} (expected {_EXPECTED})")
    return NpzRows(path, specs)


def _shown(data: object) -> str:
    return str(data) if isinstance(data, str | Path) else f"the data ({type(data).__name__})"
