"""fold-bias-add: one vector bias in the linear op, whatever form it had."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.fold_bias_add import FoldBiasAdd
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(2)
IMAGE = "(float[2,4,5,5] x) => (float[2,6,5,5] z)"
ROWS = "(float[3,4] x) => (float[3,6] z)"


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 6, 1, 1), ()])
@pytest.mark.parametrize(("op", "w"), [("Conv", (6, 4, 1, 1)), ("ConvTranspose", (4, 6, 1, 1))])
def test_convolutions(check_nodes: CheckNodes, op: str, w: tuple[int, ...], shape: tuple[int, ...]) -> None:
    before, after = f"[conv] y = {op}(x, w) z = Add(y, s)", f"[conv] z = {op}(x, w, w_bias_folded)"
    check_nodes(FoldBiasAdd(), IMAGE, before, after, w=weights(*w), s=weights(*shape))


def test_it_adds_to_a_bias_that_others_keep(check_nodes: CheckNodes) -> None:
    interface = "(float[2,4,5,5] x) => (float[2,6,5,5] z, float[2,6,5,5] u)"
    before = "y = Conv(x, w, b) z = Sub(y, s) u = Conv(x, w, b)"
    after = "z = Conv(x, w, b_folded) u = Conv(x, w, b)"
    check_nodes(FoldBiasAdd(), interface, before, after, w=weights(6, 4, 1, 1), b=weights(6), s=weights(6, 1, 1))


@pytest.mark.parametrize("shape", [(6,), (1, 6)])
def test_a_matmul_of_rank_2_becomes_a_gemm(check_nodes: CheckNodes, shape: tuple[int, ...]) -> None:
    before, after = "[fc] y = MatMul(x, w) z = Add(s, y)", "[fc] z = Gemm(x, w, w_bias_folded)"
    check_nodes(FoldBiasAdd(), ROWS, before, after, w=weights(4, 6), s=weights(*shape))


@pytest.mark.parametrize("bias", [(6,), (1, 6)])
def test_the_add_behind_a_gemm(check_nodes: CheckNodes, bias: tuple[int, ...]) -> None:
    before, after = "y = Gemm(x, w, b) z = Add(y, s)", "z = Gemm(x, w, sum)"
    after = after.replace("sum", "b_folded" if bias == (6,) else "b_folded_1")  # first a vector, then the sum
    check_nodes(FoldBiasAdd(), ROWS, before, after, w=weights(4, 6), b=weights(*bias), s=weights(6))


@pytest.mark.parametrize(("beta", "shape"), [(1.0, (1, 6)), (1.0, (1,)), (1.0, ()), (0.5, (6,)), (0.0, (1, 6))])
def test_the_bias_of_a_gemm_becomes_a_vector(check_nodes: CheckNodes, beta: float, shape: tuple[int, ...]) -> None:
    before, after = (
        f"[fc] z = Gemm <alpha = 2.0, beta = {beta}> (x, w, b)",
        "[fc] z = Gemm <alpha = 2.0> (x, w, b_folded)",
    )
    check_nodes(FoldBiasAdd(), ROWS, before, after, w=weights(4, 6), b=weights(*shape))


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[2,3,4] x) => (float[2,3,6] z)", "y = MatMul(x, w) z = Add(y, s)"),
        ("(float[3,4] x) => (float[1,3,6] z)", "y = Gemm(x, w) z = Add(y, deep)"),
        ("(float[3,4] x) => (float[3,6] z)", "y = Gemm(x, narrow) z = Add(y, s)"),
        ("(float[3,4] x) => (float[3,6] z)", "z = Gemm(x, w, rows)"),
        ("(float[3,4] x) => (float[3,6] z, float[3,6] y)", "y = Gemm(x, w) z = Add(y, s)"),
        ("(float[3,4] x, float[4,6] w) => (float[3,6] z)", "y = Gemm(x, w) z = Add(y, s)"),
    ],
    ids=["rank-3", "enlarges-rank", "enlarges-columns", "bias-by-row", "output", "weight-input"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str) -> None:
    arrays = {"w": weights(4, 6), "narrow": weights(4, 1), "s": weights(6), "deep": weights(1, 1, 6)}
    assert check_nodes(FoldBiasAdd(), interface, before, None, rows=weights(3, 1), **arrays).declined


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[3,4] x, float[3,6] r) => (float[3,6] z)", "y = Gemm(x, w) z = Add(y, r)"),
        ("(float[3,4] x, float[6] s) => (float[3,6] z)", "y = Gemm(x, w) z = Add(y, s)"),
        ("(float[3,4] x) => (float[3,6] z)", "z = Gemm(x, w, s)"),
        ("(float[3,4] x, float[1,6] c) => (float[3,6] z)", "z = Gemm(x, w, c)"),
    ],
    ids=["residual", "overridable", "already", "bias-input"],
)
def test_it_is_none_of_its_business(check_nodes: CheckNodes, interface: str, before: str) -> None:
    assert not check_nodes(FoldBiasAdd(), interface, before, None, w=weights(4, 6), s=weights(6)).declined


def test_a_matmul_whose_input_has_no_known_rank_stays(check_nodes: CheckNodes) -> None:
    before = "r = Reshape(x, shape) y = MatMul(r, w) z = Add(y, s)"
    arrays = {"w": weights(4, 6), "s": weights(6), "shape": np.array([3, 4])}
    assert check_nodes(FoldBiasAdd(), ROWS, before, None, **arrays).declined
