"""A folder of images: each file is one feed of the model's image input, made by a `Preprocess`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qcompile.calibrate.sources.preprocess import Preprocess
from qcompile.calibrate.sources.spec import Form, InputSpec
from qcompile.errors import CalibrationError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class ImageFolder:
    """One feed an image."""

    def __init__(self, files: Sequence[Path], preprocess: Preprocess, specs: Sequence[InputSpec]) -> None:
        self._files, self._preprocess = files, preprocess
        self._name = _image_input(specs)

    def __len__(self) -> int:
        return len(self._files)

    def where(self, index: int) -> str:
        """The file's path."""
        return str(self._files[index])

    def forms(self, index: int) -> Mapping[str, Form]:
        """From the size in the image's header."""
        return {self._name: Form(np.dtype(np.float32), self._preprocess.shape(self._files[index]))}

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """The decoded image."""
        return {self._name: self._preprocess.load(self._files[index])}


def _image_input(specs: Sequence[InputSpec]) -> str:
    names = [spec.name for spec in specs if spec.shape is None or len(spec.shape) == 4]
    if len(names) != 1:
        listed = ", ".join(map(repr, names)) or "none"
        raise CalibrationError(f"no single image input in the model (inputs of rank 4: {listed}); give .npz files")
    return names[0]
