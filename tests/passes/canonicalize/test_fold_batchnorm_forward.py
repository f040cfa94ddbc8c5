"""fold-batchnorm-forward: what scales and shifts before a linear op goes into its weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.fold_batchnorm_forward import FoldBatchNormForward
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(1)
IMAGE = "(float[2,4,5,5] x) => (float[2,6,A,B] z)"
NORM = "y = BatchNormalization(x, k, s, mean, variance)"


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


PARAMETERS = {"k": weights(4), "s": weights(4), "mean": weights(4), "variance": weights(4) ** 2}
ONES = {"k1": weights(4, 1, 1), "s1": weights(4, 1, 1), "zeros": np.zeros((4, 1, 1), "float32"), "half": weights(1)}


@pytest.mark.parametrize(
    ("after", "shape", "attributes"),
    [
        ("z = Conv(x, w_folded, w_bias_folded)", (6, 4, 3, 3), ""),
        ("z = Conv <group = 2> (x, w_folded, w_bias_folded)", (6, 2, 1, 1), " <group = 2>"),
        ("z = Conv <group = 4> (x, w_folded, w_bias_folded)", (8, 1, 2, 2), " <group = 4>"),
    ],
    ids=["plain", "two-groups", "depthwise"],
)
def test_a_normalization_before_a_convolution(
    check_nodes: CheckNodes, after: str, shape: tuple[int, ...], attributes: str
) -> None:
    interface = f"(float[2,4,5,5] x) => (float[2,{shape[0]},A,B] z)"
    check_nodes(
        FoldBatchNormForward(), interface, f"{NORM} z = Conv{attributes}(y, w)", after, w=weights(*shape), **PARAMETERS
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("z = Gemm <alpha = 0.5, beta = 2.0> (y, w, b)", "z = Gemm <alpha = 0.5> (x, w_folded, b_folded)"),
        ("z = Gemm <transB = 1> (y, v)", "z = Gemm <transB = 1> (x, v_folded, v_bias_folded)"),
        ("z = MatMul(y, w)", "z = Gemm(x, w_folded, w_bias_folded)"),
    ],
)
def test_a_normalization_before_a_matrix(check_nodes: CheckNodes, before: str, after: str) -> None:
    arrays = {"w": weights(4, 6), "v": weights(6, 4), "b": weights(6)}
    interface = "(float[3,4] x) => (float[3,6] z)"
    given = {"values": "float[3,4] y", **arrays, **PARAMETERS}
    check_nodes(FoldBatchNormForward(), interface, f"{NORM} {before}", after, **given)


def test_a_scale_and_a_shift_in_any_spelling(check_nodes: CheckNodes) -> None:
    before = "a = Div(x, k1) b = Sub(a, s1) c = Mul(half, b) z = Conv(c, w)"
    after = "z = Conv(x, w_folded_1, w_bias_folded_1)"
    values = "float[2,4,5,5] a, float[2,4,5,5] b, float[2,4,5,5] c"
    check_nodes(
        FoldBatchNormForward(), IMAGE, before, after, values=values, tolerance=1e-4, w=weights(6, 4, 1, 1), **ONES
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "y = Mul(x, k1) z = Conv <pads = [1,1,1,1]> (y, w)",
            "z = Conv <pads = [1,1,1,1]> (x, w_folded)",
        ),
        (
            "a = Mul(x, k1) y = Add(a, zeros) z = Conv <pads = [1,1,1,1]> (y, w)",
            "z = Conv <pads = [1,1,1,1]> (x, w_folded)",
        ),
        ("y = Mul(x, k1) z = ConvTranspose(y, t)", "z = ConvTranspose(x, t_folded)"),
    ],
    ids=["padded", "zero-shift", "transposed"],
)
def test_a_scale_alone_minds_no_padding(check_nodes: CheckNodes, before: str, after: str) -> None:
    arrays = {"w": weights(6, 4, 3, 3), "t": weights(4, 6, 2, 2)}
    check_nodes(FoldBatchNormForward(), IMAGE, before, after, values="float[2,4,5,5] a", **arrays, **ONES)


def test_a_matmul_of_rank_3_takes_a_scale(check_nodes: CheckNodes) -> None:
    interface = "(float[2,3,4] x) => (float[2,3,6] z)"
    arrays = {"k": weights(4), "w": weights(4, 6)}
    check_nodes(
        FoldBatchNormForward(),
        interface,
        "y = Mul(x, k) z = MatMul(y, w)",
        "z = MatMul(x, w_folded)",
        values="float[2,3,4] y",
        **arrays,
    )


@pytest.mark.parametrize(
    ("interface", "before", "why"),
    [
        (IMAGE, f"{NORM} z = Conv <pads = [1,1,1,1]> (y, w)", "pads"),
        (IMAGE, f'{NORM} z = Conv <auto_pad = "SAME_UPPER"> (y, w)', "pads"),
        (IMAGE, "y = Add(x, s1) z = ConvTranspose(y, t)", "pads"),
        (IMAGE, "y = Mul(x, columns) z = Conv(y, w)", "per channel"),
        ("(float[2,1,5,5] x) => (float[2,6,A,B] z)", "y = Mul(x, k1) z = Conv(y, w)", "per channel"),
        (
            "(float[2,4,5,5] x) => (float[2,6,A,B] z, float[2,4,5,5] u)",
            f"{NORM} z = Conv(y, w) u = Relu(y)",
            "elsewhere",
        ),
        (
            "(float[2,4,5,5] x) => (float[2,6,A,B] z, float[2,6,A,B] u)",
            f"{NORM} z = Conv(y, w) u = Conv(x, w)",
            "elsewhere",
        ),
        ("(float[2,3,4] x) => (float[2,3,6] z)", "y = Add(x, s) z = MatMul(y, m)", "no bias"),
        ("(float[2,4,4] x) => (float[2,4,6] z)", f"{NORM} z = MatMul(y, m)", "channels"),
        ("(float[4,4] x) => (float[4,6] z)", "y = Mul(x, half) z = Gemm <transA = 1> (y, m)", "transposed"),
    ],
    ids=[
        "padding",
        "automatic-padding",
        "transposed-shift",
        "another-axis",
        "enlarges",
        "second-reader",
        "shared-weight",
        "no-bias",
        "rank-3-normalization",
        "transposed-input",
    ],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, before: str, why: str) -> None:
    arrays = {"w": weights(6, 4, 3, 3), "t": weights(4, 6, 2, 2), "m": weights(4, 6), "columns": weights(5)}
    values = interface[interface.index("float") : interface.index(" x)")] + " y"
    result = check_nodes(FoldBatchNormForward(), interface, before, None, values=values, **arrays, **ONES, **PARAMETERS)
    assert why in result.declined[0][1].detail


@pytest.mark.parametrize(
    "before", ["y = Relu(x) z = Conv(y, w)", "y = Mul(x, x) z = Conv(y, w)", "y = Sub(k1, x) z = Conv(y, w)"]
)
def test_it_is_none_of_its_business(check_nodes: CheckNodes, before: str) -> None:
    assert not check_nodes(FoldBatchNormForward(), IMAGE, before, None, w=weights(6, 4, 1, 1), **ONES).declined
