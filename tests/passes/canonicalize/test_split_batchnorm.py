"""split-batchnorm: a normalization that stands alone is a Mul and an Add."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.split_batchnorm import SplitBatchNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(1)
NORM = "z = BatchNormalization <epsilon = 0.01> (x, k, s, mean, variance)"


def parameters(channels: int) -> dict[str, np.ndarray]:
    k, s, mean, variance = RNG.normal(size=(4, channels)).astype("float32")
    return {"k": k, "s": s, "mean": mean, "variance": variance**2}


@pytest.mark.parametrize("shape", ["2,4,5,5", "N,4,H,W", "3,4", "2,4,5", "1,4,2,3,2"])
def test_ranks(check_nodes: CheckNodes, shape: str) -> None:
    after = "[norm_scale] z_scaled = Mul(x, z_scale) [norm] z = Add(z_scaled, z_shift)"
    check_nodes(SplitBatchNorm(), f"(float[{shape}] x) => (float[{shape}] z)", f"[norm] {NORM}", after, **parameters(4))


@pytest.mark.parametrize(
    ("interface", "change"),
    [
        ("(float[2,4] x, float[4] k) => (float[2,4] z)", {}),
        ("(float[2,4] x) => (float[2,4] z)", {"variance": np.full(4, -0.01, "float32")}),
    ],
    ids=["overridable", "not-finite"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, change: dict[str, np.ndarray]) -> None:
    given = {**parameters(4), **change}
    assert check_nodes(
        SplitBatchNorm(), interface, NORM, None, feed={"x": np.ones((2, 4), "float32")}, **given
    ).declined
