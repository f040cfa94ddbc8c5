"""Pictures that nobody took, with the statistics of natural images: leaves that hide each other, and texture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_LEAVES = 300
_LARGEST, _RATIO = 0.5, 20
"""Radius of the largest leaf as a share of the longer side, and how many times smaller the smallest one is."""
_TEXTURE = 0.1
"""Deviation of the texture beside that of the leaves."""
_SHARED = 0.95
"""Correlation of a colour with its brightness, about that of photographs."""
_MIDDLE, _SPREAD = 0.45, 0.25
"""Mean and deviation of the pixels of photographs, as shares of the brightest."""
DARK, BRIGHT = -2.0, 2.45
"""Black and white where pixels are normalised to mean 0 and variance 1 over many photographs."""


def picture(shape: Sequence[int], axis: int, span: tuple[float, float] | None, rng: np.random.Generator) -> np.ndarray:
    """Pictures of `shape` (rank 4, channels on `axis`), float64: pixels from black to white as `span` has them.

    Without a span the mean of each is 0 and the variance 1.

    Discs of random colour fall over each other, their radii as 1/r^3 (Lee, Mumford and Huang, "Occlusion models for
    natural images", 2001): edges at every scale, and a spectrum whose amplitude falls with 1/f, as that of natural
    images does; networks answer to edges, so noise of the same spectrum alone leaves their deep ranges too narrow.
    """
    batch, channels, height, width = (shape[i] for i in ((0, 1, 2, 3) if axis == 1 else (0, 3, 1, 2)))
    size = (channels, height, width)
    pixels = np.stack([_standard(_standard(_leaves(size, rng)) + _TEXTURE * _pink(size, rng)) for _ in range(batch)])
    if span is not None:
        black, white = span
        pixels = black + (white - black) * np.clip(_MIDDLE + _SPREAD * pixels, 0, 1)
    return pixels if axis == 1 else np.moveaxis(pixels, 1, 3)


def _leaves(size: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    channels, height, width = size
    pixels = np.zeros(size)
    largest = _LARGEST * max(height, width)
    for _ in range(_LEAVES):
        radius = largest / np.sqrt(1 + rng.random() * (_RATIO**2 - 1))
        y, x = rng.random(2) * (height, width)
        rows = slice(max(0, int(y - radius)), min(height, int(y + radius) + 1))
        columns = slice(max(0, int(x - radius)), min(width, int(x + radius) + 1))
        down, across = np.ogrid[rows, columns]
        inside = (down - y) ** 2 + (across - x) ** 2 < radius**2
        colour = _SHARED * rng.standard_normal() + np.sqrt(1 - _SHARED**2) * rng.standard_normal(channels)
        pixels[:, rows, columns] = np.where(inside, colour[:, None, None], pixels[:, rows, columns])
    return pixels


def _pink(size: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with 1/f, the same in all channels."""
    _, height, width = size
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    distance[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / distance
    return np.broadcast_to(_standard(np.fft.irfft2(spectrum, s=(height, width))), size)


def _standard(pixels: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1; pixels that are all equal become 0."""
    centred = pixels - pixels.mean()
    standard: np.ndarray = centred / max(float(centred.std()), float(np.finfo(np.float32).tiny))
    return standard
