"""normalize-rms-norm: the spelling that onnxruntime fuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.normalize_rms_norm import NormalizeRmsNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

TOKENS = "(float[2,5,8] x) => (float[2,5,8] z)"
ARRAYS = {
    "last": np.array([-1]),
    "two": np.array(2, np.float32),
    "one": np.array(1, np.float32),
    "minus_half": np.array(-0.5, np.float32),
    "eps": np.array(0.125, np.float32),
    "g": np.random.default_rng(9).normal(size=8).astype(np.float32),
}
POW, MUL = "[s] s = Pow(x, two)", "[s] s = Mul(x, x)"
MEAN = "v = ReduceMean(s, last) e = Add(v, eps)"
SPELLING = "{} v = ReduceMean(s, last) e = Add(v, eps) r = Sqrt(e) y = Div(x, r) z = Mul(y, g)"


@pytest.mark.parametrize(
    ("before", "square"),
    [
        (f"{POW} {MEAN} r = Sqrt(e) i = Reciprocal(r) y = Mul(x, i) z = Mul(y, g)", POW),
        (f"{POW} {MEAN} r = Sqrt(e) i = Div(one, r) y = Mul(i, x) z = Mul(y, g)", POW),
        (f"{POW} {MEAN} r = Pow(e, minus_half) y = Mul(x, r) z = Mul(y, g)", POW),
        (f"{MUL} {MEAN} r = Sqrt(e) y = Div(x, r) z = Mul(y, g)", POW.replace("two", "s_exponent")),
    ],
    ids=["pytorch", "one-over", "rsqrt", "multiplied"],
)
def test_spellings(check_nodes: CheckNodes, before: str, square: str) -> None:
    check_nodes(NormalizeRmsNorm(), TOKENS, before, SPELLING.format(square), **ARRAYS)


@pytest.mark.parametrize(
    "before",
    [
        SPELLING.format(POW),
        f"{POW} {MEAN} r = Sqrt(e) i = Reciprocal(r) z = Mul(s, i)",
        f"a = Abs(x) s = Mul(x, a) {MEAN} r = Sqrt(e) i = Reciprocal(r) z = Mul(x, i)",
        f"{POW} {MEAN} r = Sqrt(e) i = Reciprocal(r) y = Mul(x, i) z = Mul(y, i)",
    ],
    ids=["already", "other-factor", "no-square", "inverse-read-twice"],
)
def test_it_stays(check_nodes: CheckNodes, before: str) -> None:
    check_nodes(NormalizeRmsNorm(), TOKENS, before, None, **ARRAYS)
