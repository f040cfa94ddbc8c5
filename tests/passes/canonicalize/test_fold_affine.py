"""fold-affine: scales and shifts per channel go into the weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.fold_affine import FoldAffine
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(1)
IMAGE = "(float[2,4,5,5] x) => (float[2,6,5,5] z)"
STEPS = "a = Mul(y, k) z = Add(s, a)"


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 6, 1, 1), (1, 1, 1), (1,), ()])
def test_a_decomposed_normalization(check_nodes: CheckNodes, shape: tuple[int, ...]) -> None:
    before, after = f"[conv] y = Conv(x, w) {STEPS}", "[conv] z = Conv(x, w_folded, w_bias_folded)"
    check_nodes(FoldAffine(), IMAGE, before, after, w=weights(6, 4, 1, 1), k=weights(*shape), s=weights(*shape))


def test_a_grouped_transposed_convolution(check_nodes: CheckNodes) -> None:
    before, after = (
        f"y = ConvTranspose <group = 2> (x, w, b) {STEPS}",
        "z = ConvTranspose <group = 2> (x, w_folded, b_folded_1)",
    )
    arrays = {"w": weights(4, 3, 1, 1), "b": weights(6), "k": weights(6, 1, 1), "s": weights(6, 1, 1)}
    check_nodes(FoldAffine(), IMAGE, before, after, **arrays)


def test_division_and_subtraction(check_nodes: CheckNodes) -> None:
    before, after = "y = Gemm(x, w, b) a = Div(y, k) z = Sub(a, s)", "z = Gemm(x, w_folded, b_folded_1)"
    arrays = {"w": weights(4, 6), "b": weights(6), "k": weights(6) + 3, "s": weights(1, 6)}
    check_nodes(FoldAffine(), "(float[3,4] x) => (float[3,6] z)", before, after, **arrays)


def test_a_matmul_of_any_rank_takes_a_scale(check_nodes: CheckNodes) -> None:
    interface = "(float[2,3,4] x) => (float[2,3,6] z)"
    check_nodes(
        FoldAffine(),
        interface,
        "y = MatMul(x, w) z = Mul(y, k)",
        "z = MatMul(x, w_folded)",
        w=weights(4, 6),
        k=weights(6),
    )


def test_a_matmul_of_rank_3_keeps_its_shift(check_nodes: CheckNodes) -> None:
    interface, before = "(float[2,3,4] x) => (float[2,3,6] z)", "y = MatMul(x, w) z = Add(y, s)"
    assert check_nodes(FoldAffine(), interface, before, None, w=weights(4, 6), s=weights(6)).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (IMAGE, "y = Conv(x, w) z = Mul(y, columns)"),
        (IMAGE, "y = Conv(x, w) z = Add(y, full)"),
        ("(float[2,4,5,5] x) => (float[1,2,6,5,5] z)", "y = Conv(x, w) z = Mul(y, deep)"),
        ("(float[2,4,5,5] x) => (float[2,6,5,5] z)", "y = Conv(x, one) z = Mul(y, k)"),
        ("(float[2,4,5,5] x, float[6,4,1,1] w) => (float[2,6,5,5] z)", "y = Conv(x, w) z = Mul(y, k)"),
        ("(float[2,4,5,5] x) => (float[2,6,5,5] z, float[2,6,5,5] u)", "y = Conv(x, w) z = Mul(y, k) u = Relu(y)"),
    ],
    ids=["another-axis", "every-value", "enlarges-rank", "enlarges-channels", "weight-input", "second-reader"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str) -> None:
    arrays = {"w": weights(6, 4, 1, 1), "one": weights(1, 4, 1, 1), "k": weights(6, 1, 1), "columns": weights(5)}
    arrays |= {"full": weights(1, 6, 5, 5), "deep": weights(1, 1, 6, 1, 1)}
    assert check_nodes(FoldAffine(), interface, before, None, **arrays).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[2,4,5,5] x, float[2,6,5,5] v) => (float[2,6,5,5] z)", "y = Conv(x, w) z = Mul(y, v)"),
        (IMAGE, "y = Conv(x, w) z = Sub(k, y)"),
        (IMAGE, "u = Conv(x, w) y = Relu(u) z = Mul(y, k)"),
    ],
    ids=["no-constant", "constant-on-the-left", "no-linear-op"],
)
def test_it_is_none_of_its_business(check_nodes: CheckNodes, interface: str, before: str) -> None:
    assert not check_nodes(FoldAffine(), interface, before, None, w=weights(6, 4, 1, 1), k=weights(6, 1, 1)).declined


def test_division_by_zero_stays(check_nodes: CheckNodes) -> None:
    k = np.array([1, 0, 1, 1, 1, 1], "float32").reshape(6, 1, 1)
    before = "y = Conv(x, w) z = Div(y, k)"
    assert "finite" in check_nodes(FoldAffine(), IMAGE, before, None, w=weights(6, 4, 1, 1), k=k).declined[0][1].detail
