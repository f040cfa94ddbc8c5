"""How a picture becomes an input: `resize=256,crop=224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,layout=nchw`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qcompile.errors import CalibrationError

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
"""Height, width."""

_MODES = {"rgb": "RGB", "bgr": "RGB", "gray": "L"}
_LAYOUTS = ("nchw", "nhwc")


@dataclass(frozen=True)
class Preprocess:
    """Steps from an image file to a float32 array of batch 1: resize, crop, colours, `(pixel / scale - mean) / std`.

    As text, parts separated by commas, in any order, each at most once:

        resize=N            the shorter side becomes N, bilinear, the aspect kept (rounded down)
        resize=HxW          exactly H high and W wide
        crop=N, crop=HxW    the middle; the image must be as large
        scale=S             pixels 0..255 are divided by S; 255 if absent
        mean=A/B/C          subtracted after that: one number, or one a channel in the order given to the model;
        std=A/B/C           then divided by this. `/`, `;` or `,` separate the numbers
        layout=nchw|nhwc    nchw if absent
        rgb|bgr|gray        rgb if absent
    """

    resize: int | Size | None = None
    crop: Size | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 255.0
    layout: str = "nchw"
    colors: str = "rgb"

    @property
    def channels(self) -> int:
        """1 or 3."""
        return 1 if self.colors == "gray" else 3

    def shape(self, path: Path) -> tuple[int, ...]:
        """Shape of the array; only the header of the file is read."""
        with _opened(path) as image:
            height, width = self.crop or self._resized((image.height, image.width))
        return (1, self.channels, height, width) if self.layout == "nchw" else (1, height, width, self.channels)

    def load(self, path: Path) -> np.ndarray:
        """The array. Raises CalibrationError where the file is no image, or smaller than the crop."""
        with _opened(path) as image:
            pixels = np.asarray(self._cut(image.convert(_MODES[self.colors]), path), np.float32)
        pixels = pixels.reshape(*pixels.shape[:2], self.channels)
        if self.colors == "bgr":
            pixels = pixels[:, :, ::-1]
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        batch = ((pixels / np.float32(self.scale) - mean) / std)[None]
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if self.layout == "nchw" else batch)

    def _resized(self, size: Size) -> Size:
        if not isinstance(self.resize, int):
            return self.resize or size
        short = min(size)
        return (size[0] * self.resize // short, size[1] * self.resize // short)

    def _cut(self, image: Image, path: Path) -> Image:
        from PIL.Image import Resampling

        height, width = self._resized((image.height, image.width))
        if (height, width) != (image.height, image.width):
            image = image.resize((width, height), Resampling.BILINEAR)
        if self.crop is None:
            return image
        top, left = (height - self.crop[0]) // 2, (width - self.crop[1]) // 2
        if top < 0 or left < 0:
            raise CalibrationError(
                f"image too small in {path} ({height}x{width}, the crop is {self.crop[0]}x{self.crop[1]}); resize first"
            )
        return image.crop((left, top, left + self.crop[1], top + self.crop[0]))


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    try:
        from PIL import Image
    except ImportError:
        raise CalibrationError("no Pillow to read images with; pip install qcompile[images]") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CalibrationError(f"no readable image in {path} ({error})") from error


def parse_preprocess(text: str) -> Preprocess:
    """Read the text form. Raises CalibrationError naming the part that cannot be read."""
    parts = _parts(text)
    values: dict[str, Any] = {key: _READERS[key](key, given) for key, given in parts.items()}
    made = Preprocess(**values)  # each reader returns its field's type
    for key, numbers in (("mean", made.mean), ("std", made.std)):
        if len(numbers) not in (1, made.channels):
            raise _bad(key, parts[key], f"{len(numbers)} numbers for {made.channels} channels")
    if "scale" not in parts and max(map(abs, made.mean)) > 1:
        raise _bad("mean", parts["mean"], "beyond 1 after the division by 255; for means in pixels add scale=1")
    return made


def _parts(text: str) -> dict[str, str]:
    """Key -> value. A number without a key belongs to the key before it: `mean=0.1,0.2,0.3`."""
    parts: dict[str, str] = {}
    last = ""
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = part.lower().partition("=")
        if not equals and key in _MODES:
            key, value = "colors", key
        elif not equals and last in ("mean", "std"):
            parts[last] += "/" + key
            continue
        if key not in _READERS or not value:
            known = "resize, crop, mean, std, scale, layout, rgb, bgr, gray"
            raise CalibrationError(f"unknown part {part!r} in --preprocess (known: {known})")
        if key in parts:
            raise CalibrationError(f"{key} given twice in --preprocess ({parts[key]} and {value})")
        parts[key], last = value, key
    return parts


def _bad(key: str, value: str, why: str) -> CalibrationError:
    return CalibrationError(f"unusable {key}={value} in --preprocess ({why})")


def _size(key: str, value: str) -> Size:
    numbers = value.split("x")
    if len(numbers) > 2 or not all(n.isascii() and n.isdigit() and int(n) > 0 for n in numbers):
        raise _bad(key, value, "expected N or HxW, in pixels")
    return int(numbers[0]), int(numbers[-1])


def _resize(key: str, value: str) -> int | Size:
    size = _size(key, value)
    return size if "x" in value else size[0]


def _numbers(key: str, value: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value.replace(";", "/").split("/"))
    except ValueError:
        raise _bad(key, value, "expected numbers separated by /") from None
    if not np.isfinite(numbers).all():
        raise _bad(key, value, "expected finite numbers")
    return numbers


def _divisors(key: str, value: str) -> tuple[float, ...]:
    numbers = _numbers(key, value)
    if min(numbers) <= 0:
        raise _bad(key, value, "expected numbers above 0")
    return numbers


def _divisor(key: str, value: str) -> float:
    numbers = _divisors(key, value)
    if len(numbers) != 1:
        raise _bad(key, value, "expected one number")
    return numbers[0]


def _layout(key: str, value: str) -> str:
    if value not in _LAYOUTS:
        raise _bad(key, value, f"expected {' or '.join(_LAYOUTS)}")
    return value


def _colors(key: str, value: str) -> str:
    return value


_READERS = {
    "resize": _resize,
    "crop": _size,
    "mean": _numbers,
    "std": _divisors,
    "scale": _divisor,
    "layout": _layout,
    "colors": _colors,
}
