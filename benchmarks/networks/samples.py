"""What networks read: pictures and texts, random but not white."""

from __future__ import annotations

import numpy as np

from benchmarks.networks.builder import Builder, Feed, Value

PICTURES = 4
"""On which a network of convolutions gets its statistics."""


def picture(rng: np.random.Generator, side: int = 224, patch: int = 8) -> Feed:
    """Normalised pixels, `image` float32 (1, 3, side, side): patches of one colour with noise on them."""
    colours = rng.normal(size=(1, 3, side // patch, side // patch))
    pixels = colours.repeat(patch, axis=2).repeat(patch, axis=3)
    return {"image": (pixels + 0.3 * rng.normal(size=pixels.shape)).astype(np.float32)}


def text(rng: np.random.Generator, length: int = 128, words: int = 30522) -> Feed:
    """`input_ids` int64 (1, length); common words are common."""
    return {"input_ids": np.minimum(rng.zipf(1.2, size=(1, length)), words).astype(np.int64) - 1}


def pictures(b: Builder, count: int = PICTURES, side: int = 224) -> Value:
    """The input `image` of a network."""
    return b.input("image", np.concatenate([picture(b.rng, side)["image"] for _ in range(count)]))
