"""The integer reference against the kernels of onnxruntime, one operator at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.numpy_helper
import onnx.parser
import onnxruntime as ort
import pytest

from qcompile.quant import QuantParams, quantize_bias
from qcompile.quant.reference import (
    matmul_integer_to_float,
    qgemm,
    qlinear_add,
    qlinear_concat,
    qlinear_conv,
    qlinear_global_average_pool,
    qlinear_leaky_relu,
    qlinear_matmul,
    qlinear_mul,
    qlinear_sigmoid,
    requantize,
)

Array = npt.NDArray[Any]
ALL_CODES = np.arange(256, dtype=np.uint8)


def run(node: str, output: str, inputs: dict[str, Array], **constants: Array) -> Array:
    """The value of `y` that onnxruntime computes for one node given as ONNX text."""
    types = {"float32": "float", "uint8": "uint8", "int8": "int8"}
    signature = ", ".join(f"{types[array.dtype.name]} {name}" for name, array in inputs.items())
    model = onnx.parser.parse_model(f"""
        <ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
        one_node ({signature}) => ({output} y) {{ y = {node} }}
    """)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.ClearField("shape")
    for name, array in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(["y"], inputs)
    return np.asarray(y)


def params(scale: float, zero_point: int, dtype: str = "uint8") -> QuantParams:
    return QuantParams(np.asarray(scale, np.float32), np.asarray(zero_point, dtype))


def channels(scales: Array, axis: int) -> QuantParams:
    return QuantParams(scales.astype(np.float32), np.zeros(scales.shape, np.int8), axis)


def constants(**parameters: QuantParams) -> dict[str, Array]:
    """x -> x_scale and x_zero, for each."""
    scales: dict[str, Array] = {f"{name}_scale": value.scale for name, value in parameters.items()}
    return scales | {f"{name}_zero": value.zero_point for name, value in parameters.items()}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def codes(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, shape, np.uint8)


def weights(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.int8]:
    # 6 bits, so that machines without VNNI do not saturate
    return rng.integers(-31, 32, shape, np.int8)


X, Y = params(0.02, 121), params(0.11, 99)


def test_requantize_rounds_ties_to_even_and_saturates() -> None:
    accumulator = np.array([-(2**31), -5, -3, -1, 1, 3, 5, 2**31 - 1])
    half = np.asarray(0.5, np.float32)
    assert requantize(accumulator, half, params(1, 10)).tolist() == [0, 8, 8, 10, 10, 12, 12, 255]


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "attributes"),
    [
        ((2, 16, 9, 9), (32, 16, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((1, 3, 11, 8), (16, 3, 5, 3), {"strides": [2, 1], "pads": [0, 1, 2, 1]}),
        ((1, 32, 7, 7), (32, 1, 3, 3), {"group": 32, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ((1, 8, 10, 10), (12, 2, 3, 3), {"group": 4, "dilations": [2, 2]}),
        ((1, 16, 6, 6), (16, 16, 1, 1), {}),
        ((2, 8, 20), (16, 8, 5), {"strides": [2], "pads": [2, 2]}),
        ((1, 4, 5, 6, 7), (8, 4, 3, 2, 3), {"pads": [1, 0, 1, 1, 1, 1]}),
    ],
    ids=["3x3", "uneven", "depthwise", "groups", "pointwise", "1d", "3d"],
)
@pytest.mark.parametrize("per_channel", [True, False])
def test_conv(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    attributes: dict[str, Any],
    per_channel: bool,
    rng: np.random.Generator,
) -> None:
    x_q, w_q = codes(rng, *x_shape), weights(rng, *w_shape)
    w = channels(rng.uniform(1e-3, 3e-2, w_shape[0]), 0) if per_channel else params(0.01, 0, "int8")
    bias = quantize_bias(rng.standard_normal(w_shape[0]), float(X.scale), w.scale)
    text = ", ".join(f"{name} = {value}" for name, value in ({"group": 1} | attributes).items())
    actual = run(
        f"QLinearConv <{text}> (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias)",
        "uint8",
        {"x": x_q},
        w=w_q,
        bias=bias,
        **constants(x=X, w=w, y=Y),
    )
    assert np.array_equal(actual, qlinear_conv(x_q, X, w_q, w, bias, Y, **attributes))
    assert np.unique(actual).size > 50


def test_conv_without_bias(rng: np.random.Generator) -> None:
    x_q, w_q, w = codes(rng, 1, 4, 6, 6), weights(rng, 8, 4, 3, 3), params(0.02, 0, "int8")
    node = "QLinearConv (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)"
    actual = run(node, "uint8", {"x": x_q}, w=w_q, **constants(x=X, w=w, y=Y))
    assert np.array_equal(actual, qlinear_conv(x_q, X, w_q, w, None, Y))


def test_conv_of_all_signs_and_of_weights_with_a_zero_point(rng: np.random.Generator) -> None:
    x, y, w = params(0.02, -3, "int8"), params(0.1, 5, "int8"), params(0.01, -1, "int8")
    x_q, w_q = codes(rng, 1, 8, 6, 6).astype(np.int8), weights(rng, 16, 8, 3, 3)
    node = "QLinearConv (x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)"
    actual = run(node, "int8", {"x": x_q}, w=w_q, **constants(x=x, w=w, y=y))
    assert np.array_equal(actual, qlinear_conv(x_q, x, w_q, w, None, y))


@pytest.mark.parametrize("per_column", [True, False])
def test_qlinear_matmul(per_column: bool, rng: np.random.Generator) -> None:
    a_q, b_q = codes(rng, 2, 5, 24), weights(rng, 24, 40)
    b = channels(rng.uniform(1e-3, 3e-2, 40), 1) if per_column else params(0.02, 0, "int8")
    node = "QLinearMatMul (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)"
    actual = run(node, "uint8", {"a": a_q}, b=b_q, **constants(a=X, b=b, y=Y))
    assert np.array_equal(actual, qlinear_matmul(a_q, X, b_q, b, Y))


@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("y", [Y, None], ids=["codes out", "float out"])
@pytest.mark.parametrize("per_column", [True, False])
def test_qgemm(trans_b: bool, y: QuantParams | None, per_column: bool, rng: np.random.Generator) -> None:
    a_q, b_q = codes(rng, 5, 48), weights(rng, *((24, 48) if trans_b else (48, 24)))
    b = channels(rng.uniform(1e-3, 3e-2, 24), 0 if trans_b else 1) if per_column else params(0.02, 0, "int8")
    bias = rng.integers(-50_000, 50_000, 24).astype(np.int32)
    actual = run(
        f"com.microsoft.QGemm <transB = {int(trans_b)}> (a, a_scale, a_zero, b, b_scale, b_zero, bias"
        + (", y_scale, y_zero)" if y else ")"),
        "uint8" if y else "float",
        {"a": a_q},
        b=b_q,
        bias=bias,
        **constants(a=X, b=b, **({"y": y} if y else {})),
    )
    expected = qgemm(a_q, X, b_q, b, bias, y, trans_b=trans_b)
    assert actual.dtype == expected.dtype
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize("per_column", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
def test_matmul_integer_to_float(per_column: bool, with_bias: bool, rng: np.random.Generator) -> None:
    a_q, b_q = codes(rng, 2, 5, 32), weights(rng, 32, 48)
    b = channels(rng.uniform(1e-3, 3e-2, 48), 1) if per_column else params(0.02, 0, "int8")
    bias = rng.standard_normal(48).astype(np.float32) if with_bias else None
    actual = run(
        f"com.microsoft.MatMulIntegerToFloat (a, b, a_scale, b_scale, a_zero, b_zero{', bias' * with_bias})",
        "float",
        {"a": a_q},
        b=b_q,
        **constants(a=X, b=b),
        **({} if bias is None else {"bias": bias}),
    )
    expected = matmul_integer_to_float(a_q, X, b_q, b, bias)
    assert actual.dtype == expected.dtype
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize(("op", "reference"), [("QLinearAdd", qlinear_add), ("QLinearMul", qlinear_mul)])
def test_add_and_mul_of_all_pairs_are_within_one_step(op: str, reference: Any) -> None:
    a_q, b_q, b = ALL_CODES[:, None], ALL_CODES[None, :], params(0.013, 30)
    node = f"com.microsoft.{op} (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)"
    y = params(0.027, 100)
    actual = run(node, "uint8", {"a": a_q, "b": b_q}, **constants(a=X, b=b, y=y))
    difference = np.abs(actual.astype(int) - reference(a_q, X, b_q, b, y))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    assert np.unique(actual).size > 50


UNARY = pytest.mark.parametrize(
    ("x", "y"),
    [(X, params(0.017, 90)), (params(0.3, 0), params(1 / 256, 0)), (params(1e-3, 255), params(0.004, 128))],
)


@UNARY
@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_leaky_relu(x: QuantParams, y: QuantParams, alpha: float) -> None:
    node = f"com.microsoft.QLinearLeakyRelu <alpha = {alpha}> (x, x_scale, x_zero, y_scale, y_zero)"
    actual = run(node, "uint8", {"x": ALL_CODES}, **constants(x=x, y=y))
    assert np.array_equal(actual, qlinear_leaky_relu(ALL_CODES, x, y, alpha=alpha))


@UNARY
def test_sigmoid(x: QuantParams, y: QuantParams) -> None:
    node = "com.microsoft.QLinearSigmoid (x, x_scale, x_zero, y_scale, y_zero)"
    actual = run(node, "uint8", {"x": ALL_CODES}, **constants(x=x, y=y))
    assert np.array_equal(actual, qlinear_sigmoid(ALL_CODES, x, y))


@pytest.mark.parametrize("shape", [(2, 16, 7, 7), (1, 5, 3, 8), (1, 32, 1, 1)])
def test_global_average_pool(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x_q, y = codes(rng, *shape), params(0.003, 120)
    node = "com.microsoft.QLinearGlobalAveragePool <channels_last = 0> (x, x_scale, x_zero, y_scale, y_zero)"
    actual = run(node, "uint8", {"x": x_q}, **constants(x=X, y=y))
    assert np.array_equal(actual, qlinear_global_average_pool(x_q, X, y))


@pytest.mark.parametrize("others", [(params(0.03, 5), params(0.001, 255)), (X, X)], ids=["three grids", "one grid"])
def test_concat(others: tuple[QuantParams, QuantParams], rng: np.random.Generator) -> None:
    a_q, b_q, (b, y) = codes(rng, 2, 60, 3), codes(rng, 2, 90, 3), others
    node = "com.microsoft.QLinearConcat <axis = 1> (y_scale, y_zero, a, a_scale, a_zero, b, b_scale, b_zero)"
    actual = run(node, "uint8", {"a": a_q, "b": b_q}, **constants(a=X, b=b, y=y))
    assert np.array_equal(actual, qlinear_concat([(a_q, X), (b_q, b)], y, axis=1))


@pytest.mark.parametrize("scale", [0.0173, 3.7, 2.0**-30])
def test_quantize_and_dequantize_linear(scale: float, rng: np.random.Generator) -> None:
    x_q, x = ALL_CODES, params(scale, 77)
    actual = run("DequantizeLinear (x, x_scale, x_zero)", "float", {"x": x_q}, **constants(x=x))
    assert np.array_equal(actual, x.dequantize(x_q))

    values = (rng.uniform(-150, 250, 5000) * scale).astype(np.float32)
    actual = run("QuantizeLinear (v, x_scale, x_zero)", "uint8", {"v": values}, **constants(x=x))
    assert np.array_equal(actual, x.quantize(values))
