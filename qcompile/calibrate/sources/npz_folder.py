"""A folder of .npz files: each file is one feed, name -> array, in the order of the file names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qcompile.calibrate.sources.npz import read_arrays, read_forms
from qcompile.calibrate.sources.spec import Form


@dataclass(frozen=True)
class NpzFolder:
    """One feed a file."""

    files: Sequence[Path]

    def __len__(self) -> int:
        return len(self.files)

    def where(self, index: int) -> str:
        """The file's path."""
        return str(self.files[index])

    def forms(self, index: int) -> Mapping[str, Form]:
        """What the headers say."""
        return read_forms(self.files[index])

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """The arrays of one file."""
        return read_arrays(self.files[index])
