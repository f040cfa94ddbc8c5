"""An encoder with outlier channels of 60 sigma behind its normalisations, as large language models have.

Xiao et al., SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models, 2022, section 3.
"""

from __future__ import annotations

import numpy as np

from benchmarks.hard_cases.case import HardCase
from benchmarks.networks import Builder, Feed, Network, Value
from benchmarks.networks.attention import attend
from benchmarks.networks.layers import BRANCH_GAIN, add, gelu, linear

SIGMAS, OUTLIERS = 60.0, 3
IMPORTANCE = 3.0
"""Of an outlier channel's contribution to a product, against that of any other channel."""
LAYERS, TOKENS, WIDTH, HEADS = 3, 32, 96, 4


def outlier_channels() -> HardCase:
    """`tokens` to `encoded`, both (1, tokens, width)."""
    b = Builder(seed=3)
    x = b.input("tokens", sample(b.rng)["tokens"])
    sizes = np.ones(WIDTH)
    sizes[b.rng.choice(WIDTH, OUTLIERS, replace=False)] = SIGMAS
    divisors = np.where(sizes > 1, sizes / IMPORTANCE, 1.0)
    for _ in range(LAYERS):
        normal = _layer_norm(b, x, sizes)
        q, k, v = (linear(b, normal, WIDTH, divisors=divisors) for _ in range(3))
        x = add(b, x, attend(b, q, k, v, HEADS))
        inner = gelu(b, linear(b, _layer_norm(b, x, sizes), 4 * WIDTH, divisors=divisors))
        x = add(b, x, linear(b, inner, WIDTH, BRANCH_GAIN))
    return HardCase(Network(b.model("outlier_channels", encoded=x), sample))


def sample(rng: np.random.Generator) -> Feed:
    """`tokens`, float32 (1, tokens, width)."""
    return {"tokens": rng.normal(size=(1, TOKENS, WIDTH)).astype(np.float32)}


def _layer_norm(b: Builder, x: Value, sizes: np.ndarray) -> Value:
    return b.op("LayerNormalization", x, b.constant(sizes), b.normal(WIDTH, spread=0.1), axis=-1)
