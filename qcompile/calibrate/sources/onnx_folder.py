"""The form of ONNX's own tests: `test_data_set_N/input_K.pb`, a serialized tensor for the K-th input of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from qcompile.calibrate.sources.folder import inside, numbered
from qcompile.calibrate.sources.spec import InputSpec
from qcompile.errors import CalibrationError

_SET, _INPUT = r"test_data_set_(\d+)", r"input_(\d+)\.pb"


def data_sets(folder: Path) -> list[Path]:
    """The test data sets in a folder in the order of their numbers; the folder itself where it is one."""
    return numbered(folder, _SET) or ([folder] if numbered(folder, _INPUT) else [])


class OnnxFolder:
    """One feed a test data set."""

    def __init__(self, root: Path, sets: Sequence[Path], specs: Sequence[InputSpec]) -> None:
        self._root, self._sets = root, sets
        self._names = [spec.name for spec in specs]

    def __len__(self) -> int:
        return len(self._sets)

    def where(self, index: int) -> str:
        """The data set's path."""
        return str(self._sets[index])

    def forms(self, index: int) -> Mapping[str, np.ndarray]:
        """The arrays themselves: a tensor has no header to be read apart."""
        return self.load(index)

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """The tensors of one data set under the names of the inputs."""
        files = [inside(self._root, file) for file in numbered(self._sets[index], _INPUT)]
        if len(files) > len(self._names):
            raise CalibrationError(
                f"too many inputs in {self.where(index)} ({len(files)}, the model has {len(self._names)})"
            )
        return {name: _array(file) for name, file in zip(self._names, files, strict=False)}


def _array(file: Path) -> np.ndarray:
    try:
        tensor = onnx.TensorProto.FromString(file.read_bytes())
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError("its data lies in another file")
        return numpy_helper.to_array(tensor)
    except Exception as error:  # protobuf and numpy raise unrelated types
        raise CalibrationError(f"no readable tensor in {file} ({error}); write the file again") from error
