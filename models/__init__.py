"""Four small trained models with data: what the demo, the tutorial and the tests run on.

All four read a hand-written digit as `image`, float32 (batch, 1, 32, 32) in 0..1, and write `logits`, float32
(batch, 10). `train/` holds the scripts that made them, and says where the digits come from.
"""

from __future__ import annotations

if __name__ != "qcompile.models":  # a second copy under another name would be other modules
    raise ImportError("import qcompile.models, not models")

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcompile.errors import ModelError

__all__ = ["Feed", "accuracy", "calibration", "names", "path", "test_data"]

Feed = dict[str, np.ndarray]

_FOLDER = Path(__file__).parent
_NAMES = ("residual", "depthwise", "encoder", "lstm")


def names() -> tuple[str, ...]:
    """The shipped models: two convolution nets, a transformer encoder and a recurrent net."""
    return _NAMES


def path(name: str) -> Path:
    """The ONNX file of a shipped model. Raises ModelError for a name that is not in `names()`."""
    if name not in _NAMES:
        raise ModelError(f"no model {name!r} in qcompile.models; take one of {', '.join(_NAMES)}")
    return _FOLDER / f"{name}.onnx"


def calibration(name: str) -> Iterator[Feed]:
    """128 feeds of one sample each, without labels, none of them in the test data."""
    path(name)
    return (_feed(image) for image in _digits()["calibration"])


def test_data(name: str) -> Iterator[tuple[Feed, int]]:
    """800 feeds of one sample each with their digit, 0..9; no training image was made from the same original."""
    path(name)
    digits = _digits()
    return ((_feed(image), int(label)) for image, label in zip(digits["test"], digits["labels"], strict=True))


def accuracy(name: str, run: Callable[[Feed], list[np.ndarray]]) -> float:
    """Share of the test data, 0..1, where the first output of `run` is largest at the right digit."""
    hits = [int(run(feed)[0].argmax()) == label for feed, label in test_data(name)]
    return sum(hits) / len(hits)


def _feed(image: NDArray[np.uint8]) -> Feed:
    return {"image": image.astype(np.float32)[None, None] / np.float32(255)}


@cache
def _digits() -> dict[str, np.ndarray]:
    with np.load(_FOLDER / "digits.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}
