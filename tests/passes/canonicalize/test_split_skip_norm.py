"""split-skip-norm: the runtime fuses no Sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize import SplitSkipNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

PAIR = "(float[2,3,8] x, float[2,3,8] y) => (float[2,3,8] z)"
ARRAYS = {name: np.linspace(1, 2, 8, dtype=np.float32) for name in ("scale", "bias")}


def test_a_residual_sum_is_kept_from_the_norm(check_nodes: CheckNodes) -> None:
    before = "s = Add(x, y) z = LayerNormalization(s, scale)"
    check_nodes(SplitSkipNorm(), PAIR, before, "s = Sum(x, y) z = LayerNormalization(s, scale)", **ARRAYS)


@pytest.mark.parametrize(
    "before",
    [
        "s = Add(x, bias) t = Mul(s, y) u = Add(t, bias) z = LayerNormalization(u, scale)",
        "s = Add(x, y) z = Relu(s)",
    ],
    ids=["bias", "no-norm"],
)
def test_it_stays(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(SplitSkipNorm(), PAIR, before, None, **ARRAYS)
