"""What the runtime's own optimizer has fused is taken apart again: the numbers are the runtime's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize import ExpandBiasGelu, ExpandEmbedNorm, ExpandFusedMatMul, ExpandSkipNorm
from qcompile.pipeline import Pass, PassResult

CheckRewrite = Callable[..., PassResult]

HEADER = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>\n'
_RNG = np.random.default_rng(3)
SCALE, SHIFT, BIAS = (_RNG.normal(size=8).astype(np.float32) for _ in range(3))
PAIR = "(float[2,3,8] x, float[2,3,8] y) => (float[2,3,8] z{more})"
WEIGHTS = {"scale": SCALE, "shift": SHIFT, "bias": BIAS}


def _check(
    check: CheckRewrite, step: Pass, interface: str, before: str, after: str | None, **arrays: np.ndarray
) -> PassResult:
    used = {name: array for name, array in arrays.items() if f" {name}" in before or f"({name}" in before}
    known = ", ".join(
        f"{'int64' if a.dtype == np.int64 else 'float'}[{','.join(map(str, a.shape))}] {n}" for n, a in used.items()
    )
    wanted = None if after is None else f"{HEADER} g {interface} {{ {after} }}"
    return check(step, f"{HEADER} g {interface} <{known}> {{ {before} }}", wanted, **used)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[n] z = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, y, scale, shift)",
            "[n_Sum] z_sum = Sum(x, y) [n] z = LayerNormalization <axis = -1, epsilon = 0.001> (z_sum, scale, shift)",
        ),
        (
            "[n] z = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, y, scale, shift, bias)",
            """[n_Sum] z_sum = Sum(x, y, bias)
               [n] z = LayerNormalization <axis = -1, epsilon = 0.001> (z_sum, scale, shift)""",
        ),
        (
            "[n] z = com.microsoft.SkipSimplifiedLayerNormalization <epsilon = 0.001> (x, y, scale)",
            """[n_Sum] z_sum = Sum(x, y) [n_Pow] z_pow = Pow(z_sum, n_exponent)
               [n_ReduceMean] z_reducemean = ReduceMean(z_pow, n_axes) [n_Add] z_add = Add(z_reducemean, n_epsilon)
               [n_Sqrt] z_sqrt = Sqrt(z_add) [n_Div] z_div = Div(z_sum, z_sqrt) [n] z = Mul(z_div, scale)""",
        ),
    ],
    ids=["plain", "bias", "simplified"],
)
def test_norms_lose_their_sum(check_rewrite: CheckRewrite, before: str, after: str) -> None:
    _check(check_rewrite, ExpandSkipNorm(), PAIR.format(more=""), before, after, **WEIGHTS)


def test_the_sum_can_be_read_too(check_rewrite: CheckRewrite) -> None:
    before = "[n] z, _, _, s = com.microsoft.SkipLayerNormalization <epsilon = 0.001> (x, y, scale, shift) t = Neg(s)"
    after = """[n_Sum] z_sum = Sum(x, y)
        [n] z = LayerNormalization <axis = -1, epsilon = 0.001> (z_sum, scale, shift) t = Neg(z_sum)"""
    interface = PAIR.format(more=", float[2,3,8] t")
    _check(check_rewrite, ExpandSkipNorm(), interface, before.replace("_, _", "a, b"), after, **WEIGHTS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "[n] z = com.microsoft.BiasGelu(x, bias)",
            '[n_Add] z_add = Add(x, bias) [n] z = Gelu <approximate="none"> (z_add)',
        ),
        (
            "[n] z = com.microsoft.FastGelu(x, bias)",
            '[n_Add] z_add = Add(x, bias) [n] z = Gelu <approximate="tanh"> (z_add)',
        ),
        ("[n] z = com.microsoft.FastGelu(x)", None),
        (
            "[n] z = com.microsoft.QuickGelu(x)",
            "[n_Mul] z_mul = Mul(x, n_alpha) [n_Sigmoid] z_sigmoid = Sigmoid(z_mul) [n] z = Mul(x, z_sigmoid)",
        ),
        (
            "[n] z = com.microsoft.QuickGelu <alpha = 1.0> (x)",
            "[n_Sigmoid] z_sigmoid = Sigmoid(x) [n] z = Mul(x, z_sigmoid)",
        ),
    ],
    ids=["gelu", "fast", "no-bias", "quick", "silu"],
)
def test_activations_lose_their_bias(check_rewrite: CheckRewrite, before: str, after: str | None) -> None:
    _check(check_rewrite, ExpandBiasGelu(), "(float[2,3,8] x) => (float[2,3,8] z)", before, after, **WEIGHTS)


@pytest.mark.parametrize(
    ("interface", "before", "after"),
    [
        (
            "(float[2,3,8] x, float[2,5,8] y) => (float[2,3,5] z)",
            "[n] z = com.microsoft.FusedMatMul <alpha = 0.5, transB = 1> (x, y)",
            """[n_Transpose] z_transpose = Transpose <perm = [0, 2, 1]> (y)
               [n_MatMul] z_matmul = MatMul(x, z_transpose) [n] z = Mul(z_matmul, n_alpha)""",
        ),
        (
            "(float[2,3,8] x) => (float[2,3,5] z)",
            "[n] z = com.microsoft.FusedMatMul <transB = 1> (x, w)",
            "[n] z = MatMul(x, w_transposed)",
        ),
        (
            "(float[2,3,8] x, float[3,2,5] y) => (float[A,B,C] z)",
            "[n] z = com.microsoft.FusedMatMul <transBatchA = 1> (x, y)",
            None,
        ),
        (
            "(float[3,8] x) => (float[3,5] z)",
            '[n] z = com.microsoft.FusedGemm <activation = "Relu", transB = 1> (x, w)',
            "[n_Gemm] z_gemm = Gemm <transB = 1> (x, w) [n] z = Relu(z_gemm)",
        ),
    ],
    ids=["factor", "constant", "batches", "gemm"],
)
def test_products_are_standard_ones(
    check_rewrite: CheckRewrite, interface: str, before: str, after: str | None
) -> None:
    if after is None:  # onnxruntime wants shapes here that do not concern the pass
        interface = "(float[3,3,8] x, float[3,8,5] y) => (float[A,B,C] z)"
    weight = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    result = _check(check_rewrite, ExpandFusedMatMul(), interface, before, after, w=weight)
    assert bool(result.declined) == (after is None)


@pytest.mark.parametrize("places", ["first", "given"])
def test_embeddings_are_taken_apart(check_rewrite: CheckRewrite, places: str) -> None:
    rng = np.random.default_rng(2)
    tables = {name: rng.normal(size=(rows, 8)).astype(np.float32) for name, rows in (("w", 9), ("p", 6), ("k", 2))}
    given = ", , p_ids" if places == "given" else ""
    read = "Gather(p, p_ids)" if given else "Slice(p, n_first, z_shape)"
    made = "z_gather_1" if given else "z_slice"
    label = "n_Gather_1" if given else "n_Slice"
    kinds = "z_gather_2" if given else "z_gather_1"
    shape = "" if given else "[n_Shape] z_shape = Shape <start = 1, end = 2> (i)"
    interface = f"(int32[2,3] i, int32[2,3] t{', int32[2,3] p_ids' if given else ''}) => (float[2,3,8] z)"
    before = f"""[n] z, m = com.microsoft.EmbedLayerNormalization <epsilon = 0.001>
        (i, t, w, p, k, scale, shift{given})"""
    after = f"""[n_Gather] z_gather = Gather(w, i) {shape} [{label}] {made} = {read}
        [n_{kinds[2:].replace("gather", "Gather")}] {kinds} = Gather(k, t)
        [n_Sum] z_sum = Sum(z_gather, {made}, {kinds})
        [n] z = LayerNormalization <axis = -1, epsilon = 0.001> (z_sum, scale, shift)"""
    feed = {"i": np.array([[0, 8, 3], [1, 1, 2]], np.int32), "t": np.array([[0, 0, 1], [1, 0, 1]], np.int32)}
    if given:
        feed["p_ids"] = np.array([[0, 5, 3], [1, 4, 2]], np.int32)
    arrays = tables | {"scale": SCALE, "shift": SHIFT}
    known = ", ".join(f"float[{','.join(map(str, a.shape))}] {n}" for n, a in arrays.items())
    check_rewrite(
        ExpandEmbedNorm(),
        f"{HEADER} g {interface} <{known}> {{ {before} }}",
        f"{HEADER} g {interface} {{ {after} }}",
        feed=feed,
        **arrays,
    )
