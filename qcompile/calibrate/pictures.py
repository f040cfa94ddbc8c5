"""Pictures that nobody took: noise with the spectrum of natural images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SHARED = 0.95
"""Correlation of the colours of a natural image with its brightness, about."""
_MIDDLE, _SPREAD = 0.45, 0.25
"""Mean and deviation of the pixels of photographs, as shares of the brightest."""


def picture(shape: Sequence[int], axis: int, high: float | None, rng: np.random.Generator) -> np.ndarray:
    """Pictures of `shape` (rank 4, channels on `axis`), float64.

    The amplitude falls with 1/f (Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", 1987); phases are random. Pixels have mean 0 and variance 1, or lie in 0 to `high`.
    """
    batch, channels, height, width = (shape[i] for i in ((0, 1, 2, 3) if axis == 1 else (0, 3, 1, 2)))
    brightness = _pink((batch, 1, height, width), rng)
    colours = _pink((batch, channels, height, width), rng) if channels > 1 else brightness
    pixels = _standard(_SHARED * brightness + np.sqrt(1 - _SHARED**2) * colours)
    if high is not None:
        pixels = np.clip(_MIDDLE + _SPREAD * pixels, 0, 1) * high
    return pixels if axis == 1 else np.moveaxis(pixels, 1, 3)


def _pink(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    height, width = shape[-2:]
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    distance[0, 0] = 1 / max(height, width)
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / distance
    return _standard(np.fft.irfft2(spectrum, s=(height, width)))


def _standard(pixels: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 of every picture; a single pixel is 0."""
    centred = pixels - pixels.mean(axis=(1, 2, 3), keepdims=True)
    standard: np.ndarray = centred / np.maximum(centred.std(axis=(1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
    return standard
