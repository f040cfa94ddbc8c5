"""Every lowering in numbers: against the numpy integer reference, and against its QDQ form run in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.pipeline import Context, Pipeline
from qcompile.quant import QuantParams
from qcompile.quant import reference as ref
from qcompile.runtime import Session
from qcompile.targets import find_target
from qcompile.verify import step_errors

Array = np.ndarray[Any, Any]
EDGES = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Case:
    """A float graph and the operators that it must become, conversions at the edges aside."""

    interface: str
    nodes: str
    ops: str
    weights: Mapping[str, Any]


def case(interface: str, nodes: str, ops: str, **weights: Any) -> Case:
    return Case(interface, nodes, ops, weights)


def conv(x: str, y: str, attributes: str, w: tuple[int, ...]) -> Case:
    """One Conv with bias."""
    return case(f"(float[{x}] x) => (float[{y}] y)", f"y = Conv<{attributes}>(x, w, b)", "QLinearConv", w=w, b=w[:1])


def between(nodes: str, ops: str, **weights: Any) -> Case:
    """`nodes` make t from c, between two convolutions: (2,16,8,8) comes in, 16 channels go out."""
    interface = "(float[2,8,8,8] x) => (float[2,4,N,M] y)"
    text = f"c = Conv(x, w) {nodes} y = Conv(t, v)"
    return case(interface, text, f"QLinearConv {ops} QLinearConv", w=(16, 8, 1, 1), **{"v": (4, 16, 1, 1)} | weights)


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


IMAGE = "(float[2,8,9,9] x) => (float[2,16,7,7] y)"
ROWS = "(float[40,48] x) => (float[40,32] y)"
CASES = {
    "conv": conv("2,8,12,12", "2,16,12,12", "pads=[1,1,1,1]", (16, 8, 3, 3)),
    "conv uneven pads": conv("2,3,13,9", "2,16,7,10", "strides=[2,1], pads=[0,1,2,2]", (16, 3, 3, 3)),
    "conv dilations": conv("2,8,14,14", "2,16,10,10", "dilations=[2,2]", (16, 8, 3, 3)),
    "conv groups": conv("2,16,9,9", "2,24,7,7", "group=4", (24, 4, 3, 3)),
    "conv depthwise": conv("2,32,9,9", "2,32,5,5", "group=32, strides=[2,2], pads=[1,1,1,1]", (32, 1, 3, 3)),
    "conv pointwise": conv("2,16,9,9", "2,32,9,9", "strides=[1,1]", (32, 16, 1, 1)),
    "conv 1d": conv("2,8,64", "2,16,32", "strides=[2], pads=[1,1]", (16, 8, 3)),
    "conv 3d": conv("2,4,6,6,6", "2,8,6,6,6", "pads=[1,1,1,1,1,1]", (8, 4, 3, 3, 3)),
    "conv without bias": case(IMAGE, "y = Conv(x, w)", "QLinearConv", w=(16, 8, 3, 3)),
    "conv relu": case(IMAGE, "t = Conv(x, w, b) y = Relu(t)", "QLinearConv", w=(16, 8, 3, 3), b=(16,)),
    "conv clip": case(
        IMAGE,
        "t = Conv(x, w, b) y = Clip(t, zero, six)",
        "QLinearConv",
        w=(16, 8, 3, 3), b=(16,), zero=np.float32(0), six=np.float32(6),
    ),
    "gemm": case(ROWS, "y = Gemm(x, w, b)", "QGemm", w=(48, 32), b=(32,)),
    "gemm transB": case(ROWS, "y = Gemm<transB=1>(x, w, b)", "QGemm", w=(32, 48), b=(32,)),
    "gemm without bias": case(ROWS, "y = Gemm<transB=1>(x, w)", "QGemm", w=(32, 48)),
    "gemm one bias": case(ROWS, "y = Gemm(x, w, b)", "QGemm", w=(48, 32), b=(1,)),
    "gemm chain": case(
        ROWS,
        "t = Gemm(x, w, b) u = Relu(t) y = Gemm<transB=1>(u, v, b)",
        "QGemm QGemm",
        w=(48, 32), v=(32, 32), b=(32,),
    ),
    "matmul": case("(float[3,40,48] x) => (float[3,40,32] y)", "y = MatMul(x, w)", "MatMulIntegerToFloat", w=(48, 32)),
    "matmul chain": case(
        "(float[3,40,48] x) => (float[3,40,32] y)",
        "t = MatMul(x, w) u = Relu(t) y = MatMul(u, v)",
        "QLinearMatMul MatMulIntegerToFloat",
        w=(48, 24), v=(24, 32),
    ),
    "add": between("d = Conv(c, u) t = Add(c, d)", "QLinearConv QLinearAdd", u=(16, 16, 1, 1)),
    "add relu": between("d = Conv(c, u) s = Add(d, c) t = Relu(s)", "QLinearConv QLinearAdd", u=(16, 16, 1, 1)),
    "add constant": between("t = Add(k, c)", "QLinearAdd", k=(16, 1, 1)),
    "mul": between("d = Conv(c, u) t = Mul(c, d)", "QLinearConv QLinearMul", u=(16, 16, 1, 1)),
    "mul gate": between(
        "p = GlobalAveragePool(c) d = Conv(p, u) s = Sigmoid(d) t = Mul(c, s)",
        "QLinearGlobalAveragePool QLinearConv QLinearSigmoid QLinearMul",
        u=(16, 16, 1, 1),
    ),
    "leaky relu": between("t = LeakyRelu<alpha=0.2>(c)", "QLinearLeakyRelu"),
    "sigmoid": between("t = Sigmoid(c)", "QLinearSigmoid"),
    "average pool": between("t = AveragePool<kernel_shape=[2,2], strides=[2,2]>(c)", "QLinearConv"),
    "average pool with pads": between(
        "t = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(c)", "QLinearConv"
    ),
    "transposed": between("t = ConvTranspose<strides=[2,2]>(c, u, b)", "QLinearConv DepthToSpace",
        u=(16, 16, 2, 2), b=(16,)),
    "transposed relu": between(
        "s = ConvTranspose<strides=[2,2], pads=[1,1,1,1]>(c, u, b) t = Relu(s)", "QLinearConv DepthToSpace Slice",
        u=(16, 16, 4, 4), b=(16,),
    ),
    "transposed alone": between("t = ConvTranspose<pads=[1,1,1,1]>(c, u)", "QLinearConv", u=(16, 16, 3, 3)),
    "transposed grown": between(
        "t = ConvTranspose<strides=[3,3], pads=[1,0,2,1], output_padding=[2,1]>(c, u)",
        "QLinearConv DepthToSpace Slice",
        u=(16, 16, 5, 4),
    ),
    "global pool": between("t = GlobalAveragePool(c)", "QLinearGlobalAveragePool"),
    "concat of one range": between(
        "m = MaxPool<kernel_shape=[1,1]>(c) t = Concat<axis=1>(c, m)", "MaxPool Concat", v=(4, 32, 1, 1)
    ),
    "concat of two ranges": between(
        "d = Conv(c, u) t = Concat<axis=1>(c, d)", "QLinearConv QLinearConcat", u=(16, 16, 1, 1), v=(4, 32, 1, 1)
    ),
    "max pool": between("t = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,0,0]>(c)", "MaxPool"),
    "relu on codes": between("r = Relu(c) t = Add(c, r)", "Clip QLinearAdd"),
    "clip on codes": between("r = Clip(c, low) t = Add(c, r)", "Clip QLinearAdd", low=np.float32(-0.4)),
    "transpose": between("t = Transpose<perm=[0,1,3,2]>(c)", "Transpose"),
    "reshape": between("t = Reshape(c, shape)", "Reshape", shape=ints(2, 16, 4, 16)),
    "flatten": between("f = Flatten(c) t = Reshape(f, shape)", "Flatten Reshape", shape=ints(0, 16, 4, 16)),
    "squeeze": between("f = Unsqueeze(c, axes) t = Squeeze(f, axes)", "Unsqueeze Squeeze", axes=ints(0)),
    "slice": between("t = Slice(c, start, end, axis)", "Slice", start=ints(1), end=ints(7), axis=ints(2)),
    "gather": between("t = Gather<axis=2>(c, index)", "Gather", index=ints(5, 0, 3)),
    "tile": between("t = Tile(c, repeats)", "Tile", repeats=ints(1, 1, 2, 1)),
    "expand": between(
        "p = GlobalAveragePool(c) t = Expand(p, shape)", "QLinearGlobalAveragePool Expand", shape=ints(2, 16, 4, 4)
    ),
    "pad": between("t = Pad(c, pads)", "Pad", pads=ints(0, 0, 1, 0, 0, 0, 2, 3)),
    "pad reflect": between('t = Pad<mode="reflect">(c, pads, , axes)', "Pad", pads=ints(1, 2, 2, 1), axes=ints(2, 3)),
    "mask": between("t = Where(m, c, zero)", "Where", m=np.arange(8) < 5, zero=np.float32(0)),
    "mask by other": between("t = Where(m, zero, c)", "Where", m=np.arange(8) < 5, zero=np.zeros(1, np.float32)),
    "depth and space": between(
        "s = SpaceToDepth<blocksize=2>(c) t = DepthToSpace<blocksize=2>(s)", "SpaceToDepth DepthToSpace"
    ),
    "split": between(
        "a, b = Split<axis=1, num_outputs=2>(c) t = Add(a, b)", "Split QLinearAdd", v=(4, 8, 1, 1)
    ),
    "resize": between('t = Resize<mode="nearest">(c, , scales)', "Resize", scales=np.array([1, 1, 2, 2], np.float32)),
    "hard swish": between("t = HardSwish(c)", "Clip QLinearMul"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("name", CASES)
def test_lowered_operators(quantize: Callable[..., Any], name: str, dtype: str) -> None:
    case = CASES[name]
    target = replace(find_target("cpu"), activation_dtype=dtype, substitutes=())
    made = quantize(case.interface, case.nodes, target=target, **case.weights)
    assert [n.op_type for n in made.lowered.graph if n.op_type not in EDGES] == case.ops.split()

    values = all_values(made.lowered, made.feed)
    for node in made.lowered.graph:
        if node.op_type in REFERENCES:
            expected = REFERENCES[node.op_type](node, [None if v is None else values[v.name] for v in node.inputs])
            actual = values[node.outputs[0].name]
            assert actual.dtype == expected.dtype
            ties = node.op_type in ("QLinearAdd", "QLinearMul")
            np.testing.assert_allclose(actual.astype(float), expected.astype(float), rtol=0, atol=ties)
            assert np.unique(actual).size >= 8

    errors = step_errors(made.qdq.clone(), made.lowered.clone(), made.feed)
    quantized = [node for node in made.qdq.graph if node.op_type == "QuantizeLinear"]
    floats = [node for node in made.lowered.graph if node.op_type in REFERENCES and node.outputs[0].is_graph_output()]
    assert len(errors) == len(quantized) + len(floats)
    assert [error for error in errors if not error.is_within_contract] == []


def test_names_and_metadata_survive(quantize: Callable[..., Any]) -> None:
    nodes = """
        [first] a = Conv(x, w) [clamp] r = Relu(a) [pool] m = MaxPool<kernel_shape=[1,1]>(r)
        [pair] s, t = Split<axis=1>(m, halves) [sum] u = Add(s, t) [mean] p = GlobalAveragePool(u)
        [flat] f = Flatten(p) [head] y = Gemm(f, g) [tail] z = Elu(y)
    """
    weights = {"w": (8, 4, 1, 1), "g": (4, 3), "halves": ints(4, 4)}
    made = quantize("(float[2,4,6,6] x) => (float[2,3] y, float[2,3] z)", nodes, **weights)
    names = {node.name for node in made.lowered.graph}
    assert names == {node.name for node in made.canonical.graph} - {"clamp"} | {"x_QuantizeLinear"}
    values = [value.name for node in made.lowered.graph for value in node.outputs]
    assert values == [f"{name}_quantized" for name in "xrmstupf"] + ["y", "z"]

    made.qdq.graph.outputs[0].metadata_props["unit"] = "volt"
    lowered, _ = Pipeline.default().stage("lower").run(made.qdq, Context(plan=made.plan))
    assert lowered.graph.outputs[0].metadata_props == {"unit": "volt"}


def all_values(model: ir.Model, feed: Mapping[str, Array]) -> dict[str, Array]:
    """Every value of a run at full optimisation, constants and feed included."""
    model = model.clone()
    made = [value for node in model.graph for value in node.outputs if not value.is_graph_output()]
    model.graph.outputs.extend(made)
    session = Session(model)
    constants = {n: v.const_value.numpy() for n, v in model.graph.initializers.items() if v.const_value is not None}
    return {**constants, **feed, **dict(zip(session.outputs, session.run(feed), strict=True))}


def params(scale: Array, zero_point: Array, axis: int = 0) -> QuantParams:
    return QuantParams(scale, zero_point, axis if scale.ndim else None)


def qlinear_conv(node: ir.Node, v: list[Any]) -> Array:
    names = ("strides", "pads", "dilations", "group")
    attributes = {name: node.attributes[name].value for name in names if name in node.attributes}
    bias = v[8] if len(v) > 8 else None
    return ref.qlinear_conv(v[0], params(*v[1:3]), v[3], params(*v[4:6]), bias, params(*v[6:8]), **attributes)


def qgemm(node: ir.Node, v: list[Any]) -> Array:
    trans_b = bool(node.attributes.get_int("transB", 0))
    y = params(*v[7:9]) if len(v) > 7 else None
    bias = v[6] if len(v) > 6 else None
    return ref.qgemm(v[0], params(*v[1:3]), v[3], params(v[4], v[5], 0 if trans_b else 1), bias, y, trans_b=trans_b)


def qlinear_concat(node: ir.Node, v: list[Any]) -> Array:
    parts = [(v[i], params(v[i + 1], v[i + 2])) for i in range(2, len(v), 3)]
    return ref.qlinear_concat(parts, params(*v[:2]), axis=node.attributes["axis"].as_int())


def qlinear_leaky_relu(node: ir.Node, v: list[Any]) -> Array:
    return ref.qlinear_leaky_relu(v[0], params(*v[1:3]), params(*v[3:5]), alpha=node.attributes["alpha"].as_float())


def qlinear_matmul(_: ir.Node, v: list[Any]) -> Array:
    return ref.qlinear_matmul(v[0], params(*v[1:3]), v[3], params(v[4], v[5], 1), params(*v[6:8]))


def matmul_integer_to_float(_: ir.Node, v: list[Any]) -> Array:
    return ref.matmul_integer_to_float(v[0], params(v[2], v[4]), v[1], params(v[3], v[5], 1))


REFERENCES: dict[str, Callable[[ir.Node, list[Any]], Array]] = {
    "QLinearConv": qlinear_conv,
    "QGemm": qgemm,
    "QLinearMatMul": qlinear_matmul,
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "QLinearAdd": lambda _, v: ref.qlinear_add(v[0], params(*v[1:3]), v[3], params(*v[4:6]), params(*v[6:8])),
    "QLinearMul": lambda _, v: ref.qlinear_mul(v[0], params(*v[1:3]), v[3], params(*v[4:6]), params(*v[6:8])),
    "QLinearSigmoid": lambda _, v: ref.qlinear_sigmoid(v[0], params(*v[1:3]), params(*v[3:5])),
    "QLinearLeakyRelu": qlinear_leaky_relu,
    "QLinearGlobalAveragePool": lambda _, v: ref.qlinear_global_average_pool(v[0], params(*v[1:3]), params(*v[3:5])),
    "QLinearConcat": qlinear_concat,
}
