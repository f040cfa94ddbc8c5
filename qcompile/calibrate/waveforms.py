"""Recordings that nobody made, with the course of speech: voiced sounds with formants, hisses, pauses."""

from __future__ import annotations

import numpy as np

RATE = 16000
"""Samples a second."""
_LOUDEST = (1.0, 0.3, 0.1, 0.03)
"""Peaks of recordings in turn, full scale being 1: a voice near the microphone and far from it."""
_HISS, _ROOM = 0.3, 0.01
"""Deviation of unvoiced sounds and of the room, where that of voiced sounds is 1."""


def recording(length: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """`length` samples of sound at 16 kHz, float64, within -1..1; its loudness goes by its `number`.

    Voiced sounds are the harmonics of a pitch that glides, weighted by three formants (Fant, "Acoustic theory of speech
    production", 1960).
    """
    sound = _ROOM * rng.standard_normal(length)
    start = 0
    while start < length:
        count = int(rng.integers(RATE // 16, RATE // 3))
        kind = rng.choice(3, p=(0.55, 0.2, 0.25))
        piece = _voiced(count, rng) if kind == 0 else _HISS * rng.standard_normal(count) * (kind == 1)
        swell = np.sin(np.pi * np.arange(count) / count)
        sound[start : start + count] += (swell * piece)[: length - start]
        start += count
    return sound * (_LOUDEST[number % len(_LOUDEST)] / max(float(abs(sound).max(initial=0)), _ROOM))


def _voiced(count: int, rng: np.random.Generator) -> np.ndarray:
    pitch = rng.uniform(90, 260)
    glide = 1 + 0.1 * np.sin(2 * np.pi * np.arange(count) / count)
    phase = 2 * np.pi * np.cumsum(pitch * glide) / RATE
    formants = rng.uniform((300, 900, 2200), (900, 2200, 3200))
    harmonics = np.arange(1, int(0.4 * RATE / pitch))
    distance = (harmonics[:, None] * pitch - formants) / 150
    weights = (np.exp(-(distance**2)) / (1, 2, 3)).sum(1) + 0.3 / harmonics
    tones = np.polyval([*weights[::-1], 0], np.exp(1j * phase))  # sum of weights[h - 1] exp(i h phase)
    sound: np.ndarray = tones.imag / tones.imag.std()
    return sound
