"""fold-batchnorm: into every linear op, and where it must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.fold_batchnorm import FoldBatchNorm
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

RNG = np.random.default_rng(0)
IMAGE = "(float[2,4,5,5] x) => (float[2,6,N,M] z)"
ROWS = "(float[3,4] x) => (float[3,6] z)"


def weights(*shape: int, dtype: str = "float32") -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def normalization(channels: int = 6, dtype: str = "float32") -> dict[str, np.ndarray]:
    arrays = {name: weights(channels, dtype=dtype) for name in ("scale", "shift", "mean")}
    return arrays | {"variance": RNG.uniform(0.5, 2, channels).astype(dtype)}


BN = "[bn] z = BatchNormalization(y, scale, shift, mean, variance)"


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        ("Conv", (6, 4, 3, 3)),
        ("Conv <group = 2>", (6, 2, 3, 3)),
        ("ConvTranspose", (4, 6, 3, 3)),
        ("ConvTranspose <group = 2>", (4, 3, 3, 3)),
    ],
)
@pytest.mark.parametrize("biased", [False, True])
def test_convolutions_take_it(check_nodes: CheckNodes, op: str, shape: tuple[int, ...], biased: bool) -> None:
    more = {"b": weights(6)} if biased else {}
    before = f"[conv] y = {op}(x, w{', b' if biased else ''}) {BN}"
    after = f"[conv] z = {op}(x, w_folded, {'b_folded' if biased else 'w_bias_folded'})"
    check_nodes(FoldBatchNorm(), IMAGE, before, after, w=weights(*shape), **more, **normalization())


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (6,), (1, 6), (1,), ()])
def test_gemm_takes_it_with_alpha_and_beta(
    check_nodes: CheckNodes, transposed: int, bias: tuple[int, ...] | None
) -> None:
    more = {} if bias is None else {"b": weights(*bias)}
    attributes = f"alpha = 0.5, transB = {transposed}"
    before = f"[fc] y = Gemm <beta = 3.0, {attributes}> (x, w{', b' if more else ''}) {BN}"
    after = f"[fc] z = Gemm <{attributes}> (x, w_folded, {'b_folded' if more else 'w_bias_folded'})"
    w = weights(*((6, 4) if transposed else (4, 6)))
    check_nodes(FoldBatchNorm(), ROWS, before, after, w=w, **more, **normalization())


def test_a_matmul_of_rank_2_becomes_a_gemm(check_nodes: CheckNodes) -> None:
    before, after = f"[fc] y = MatMul(x, w) {BN}", "[fc] z = Gemm(x, w_folded, w_bias_folded)"
    check_nodes(FoldBatchNorm(), ROWS, before, after, w=weights(4, 6), **normalization())


def test_a_matmul_of_rank_3_has_its_channels_elsewhere(check_nodes: CheckNodes) -> None:
    interface = "(float[2,6,4] x) => (float[2,6,5] z)"
    before = f"[fc] y = MatMul(x, w) {BN}"
    result = check_nodes(FoldBatchNorm(), interface, before, None, w=weights(4, 5), **normalization())
    assert result.declined[0][0] == "bn"


def test_a_shared_weight_is_copied(check_nodes: CheckNodes) -> None:
    interface = "(float[2,4,5,5] x) => (float[2,6,N,M] z, float[2,6,N,M] other)"
    before = f"y = Conv(x, w) {BN} other = Conv(x, w)"
    after = "z = Conv(x, w_folded, w_bias_folded) other = Conv(x, w)"
    check_nodes(FoldBatchNorm(), interface, before, after, w=weights(6, 4, 1, 1), **normalization())


def test_one_convolution_twice_with_the_same_weight(check_nodes: CheckNodes) -> None:
    interface = "(float[2,4,5,5] x) => (float[2,4,N,M] z)"
    before = """y = Conv(x, w) t = BatchNormalization(y, scale, shift, mean, variance)
        u = Conv(t, w) z = BatchNormalization(u, scale, shift, mean, variance)"""
    after = "y = Conv(x, w_folded, w_bias_folded) z = Conv(y, w_folded_1, w_bias_folded_1)"
    check_nodes(FoldBatchNorm(), interface, before, after, w=weights(4, 4, 1, 1), **normalization(4))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_type_of_the_weights_stays(check_nodes: CheckNodes, dtype: str) -> None:
    name = {"float16": "float16", "float64": "double"}[dtype]
    interface = f"({name}[3,4] x) => ({name}[3,6] z)"
    arrays = {"w": weights(4, 6, dtype=dtype), **normalization(dtype=dtype)}
    before, after = f"y = Gemm(x, w) {BN}", "z = Gemm(x, w_folded, w_bias_folded)"
    check_nodes(FoldBatchNorm(), interface, before, after, tolerance=2e-2 if dtype == "float16" else 1e-12, **arrays)


def test_inside_a_branch_with_weights_from_outside(check_rewrite: CheckNodes) -> None:
    before = """<ir_version: 10, opset_import: ["": 21]> g (bool c, float[3,1] x) => (float[3,2] out)
        <float[1,2] w = {2, 3}, float[2] one = {1, 1}> {
        out = If (c) <
            then_branch = t () => (float[3,2] z) { y = MatMul(x, w) z = BatchNormalization(y, one, one, one, one) },
            else_branch = e () => (float[3,2] n) { n = MatMul(x, w) }> }"""
    after = before.replace("y = MatMul(x, w) z = BatchNormalization(y, one, one, one, one)", "z = Gemm(x, wf, wb)")
    after = after.replace(
        "() => (float[3,2] z) {", "() => (float[3,2] z) <float[1,2] wf = {1, 1}, float[2] wb = {1, 1}> {"
    )
    feed = {"c": np.array(True), "x": weights(3, 1)}
    check_rewrite(FoldBatchNorm(), before, after.replace("wf", "w_folded").replace("wb", "w_bias_folded"), feed=feed)


@pytest.mark.parametrize(
    ("interface", "nodes"),
    [
        ("(float[3,4] x) => (float[3,6] z, float[3,6] y)", f"y = MatMul(x, w) {BN}"),
        ("(float[3,4] x) => (float[3,6] z, float[3,6] u)", f"y = MatMul(x, w) u = Relu(y) {BN}"),
        ("(float[3,4] x, float[4,6] w) => (float[3,6] z)", f"y = MatMul(x, w) {BN}"),
        ("(float[3,4] x, float[6] scale) => (float[3,6] z)", f"y = MatMul(x, w) {BN}"),
        ("(float[3,4] x, float[6] b) => (float[3,6] z)", f"y = Gemm(x, w, b) {BN}"),
        ("(float[3,4] x) => (float[3,6] z)", f"y = Gemm(x, w, rows) {BN}"),
        ("(float[3,4] x) => (float[3,6] z)", f"u = MatMul(x, w) y = Relu(u) {BN}"),
    ],
    ids=["output", "second-reader", "weight-input", "scale-input", "bias-input", "bias-by-row", "relu-between"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, interface: str, nodes: str) -> None:
    arrays = {"w": weights(4, 6), "b": weights(6), "rows": weights(3, 1), **normalization()}
    result = check_nodes(FoldBatchNorm(), interface, nodes, None, **arrays)
    assert result.declined


def test_a_result_that_overflows_stays(check_nodes: CheckNodes) -> None:
    tiny = normalization() | {"variance": np.zeros(6, "float32"), "scale": np.full(6, 1e38, "float32")}
    before = "y = MatMul(x, w) z = BatchNormalization <epsilon = 1e-12> (y, scale, shift, mean, variance)"
    feed = {"x": np.zeros((3, 4), "float32")}
    result = check_nodes(FoldBatchNorm(), ROWS, before, None, feed=feed, w=weights(4, 6), **tiny)
    assert "finite" in result.declined[0][1].detail
