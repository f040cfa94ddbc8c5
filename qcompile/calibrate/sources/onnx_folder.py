"""The form of ONNX's own tests: `test_data_set_N/input_K.pb`, a serialized tensor for the K-th input of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
        self._specs = specs

    def __len__(self) -> int:
        return len(self._sets)

    def where(self, index: int) -> str:
        """The data set's path."""
        return str(self._sets[index])

    def forms(self, index: int) -> Mapping[str, Any]:
        """The arrays themselves: a tensor has no header to be read apart."""
        return self.load(index)

    def load(self, index: int) -> Mapping[str, Any]:
        """The tensors of one data set under the names of the inputs."""
        files = [inside(self._root, file) for file in numbered(self._sets[index], _INPUT)]
        if len(files) > len(self._specs):
            raise CalibrationError(
                f"too many inputs in {self.where(index)} ({len(files)}, the model has {len(self._specs)})"
            )
        return {spec.name: _read(spec, file) for spec, file in zip(self._specs, files, strict=False)}


def _read(spec: InputSpec, file: Path) -> Any:
    """What the file holds of the input's type: an array, a list of arrays, or None."""
    content = file.read_bytes()
    try:
        if spec.optional:
            optional = onnx.OptionalProto.FromString(content)
            _check_inside(optional.tensor_value, *optional.sequence_value.tensor_values)
            return numpy_helper.to_optional(optional)
        if spec.sequence:
            sequence = onnx.SequenceProto.FromString(content)
            _check_inside(*sequence.tensor_values)
            return numpy_helper.to_list(sequence)
        tensor = onnx.TensorProto.FromString(content)
        _check_inside(tensor)
        return numpy_helper.to_array(tensor)
    except Exception as error:  # protobuf and numpy raise unrelated types
        raise CalibrationError(f"no readable tensor in {file} ({error}); write the file again") from error


def _check_inside(*tensors: onnx.TensorProto) -> None:
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        raise ValueError("its data lies in another file")
