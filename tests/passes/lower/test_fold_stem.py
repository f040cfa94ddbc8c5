"""fold-stem: the same codes from four pixels at a time, with no transposition more than before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qcompile.ir import static_shape
from qcompile.passes.lower.fold_stem import FoldStem
from qcompile.pipeline import Context, PassResult
from qcompile.plan import Plan
from qcompile.runtime import Session, optimized_nodes
from qcompile.targets import find_target

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(3)
SCALARS: dict[str, np.ndarray] = {
    "sx": np.array(0.02, np.float32),
    "zx": np.array(119, np.uint8),
    "sy": np.array(0.4, np.float32),
    "zy": np.array(90, np.uint8),
}
CONV = "QLinearConv<{}>(x, sx, zx, w, sw, zw, sy, zy, b)"
THREE_BY_THREE = "kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]"


def context(*substitutes: str) -> Context:
    return Context(target=find_target("cpu"), plan=Plan("cpu", substitutes=substitutes))


def weights(filters: int, channels: int, *kernel: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Codes of 6 bits, which no CPU saturates."""
    rng = np.random.default_rng(seed)
    return {
        "w": rng.integers(-31, 32, (filters, channels, *kernel)).astype(np.int8),
        "sw": rng.uniform(0.002, 0.05, filters).astype(np.float32),
        "zw": np.zeros(filters, np.int8),
        "b": rng.integers(-2000, 2000, filters).astype(np.int32),
        **SCALARS,
    }


def graph(interface: str, nodes: str, arrays: Mapping[str, np.ndarray], *inner: str) -> str:
    types = {"float32": "float"}
    declared = [f"{types.get(a.dtype.name, a.dtype.name)}{list(a.shape) or ''} {n}" for n, a in arrays.items()]
    declared += inner
    domains = 'opset_import: ["": 21, "com.microsoft": 1]'
    return f"<ir_version: 10, {domains}> g {interface} <{', '.join(declared)}> {{ {nodes} }}"


def model(interface: str, nodes: str, arrays: Mapping[str, np.ndarray], *inner: str) -> ir.Model:
    tensors = [ir.tensor(array, name=name) for name, array in arrays.items()]
    return ir.from_onnx_text(graph(interface, nodes, arrays, *inner), initializers=tensors)


def fold(before: ir.Model, feed: Mapping[str, np.ndarray]) -> tuple[ir.Model, PassResult]:
    """The folded model, whose outputs were found to be the same, optimised and not."""
    after = before.clone()
    result = FoldStem().run(after, context("fold-stem"))
    for optimize in (False, True):
        old, new = (Session(each, optimize=optimize).run(feed) for each in (before, after))
        np.testing.assert_array_equal(new[0], old[0])
    return after, result


WEIGHTS = ["Pad", "Tile", "Slice", "Reshape", "Transpose", "Reshape"]
"""What makes [32,12,3,3] of [8,3,3,3], when the model is loaded."""
LACK, ACROSS = ["Shape", "Mul", "Mod"], ["Add"]


@pytest.mark.parametrize(
    ("width", "before", "after"),
    [
        ("16", ["Transpose", "Reshape"], ["Reshape", "Transpose"]),
        ("18", ["Transpose", "Concat", "Pad", "Reshape"], ["Reshape", "Slice", "Transpose"]),
        ("w", ["Transpose", *LACK, *ACROSS, "Concat", "Pad", "Reshape"], ["Reshape", "Slice", "Transpose"]),
    ],
    ids=["a multiple of 4", "padded and cut", "by sizes known at run time"],
)
def test_a_group_of_pixels_gives_as_many_outputs(width: str, before: list[str], after: list[str]) -> None:
    conv = f"[c] y = {CONV.format(THREE_BY_THREE)}"
    plain = model(f"(uint8[n,3,h,{width}] x) => (uint8[n,8,h,{width}] y)", conv, weights(8, 3, 3, 3))
    columns = 15 if width == "w" else int(width)
    folded, _ = fold(plain, {"x": RNG.integers(0, 256, (2, 3, 5, columns)).astype(np.uint8)})
    assert [node.op_type for node in folded.graph] == [*before, *WEIGHTS, "QLinearConv", *after]
    assert [static_shape(node.inputs[3]) for node in folded.graph if node.name == "c"] == [(32, 12, 3, 3)]
    weights_at_load = [node.name for node in optimized_nodes(folded) if (node.name or "").startswith("c_weights")]
    assert weights_at_load == []


@given(
    channels=st.integers(1, 3),
    filters=st.integers(1, 20),
    height=st.integers(1, 4),
    width=st.integers(1, 11),
    stride=st.sampled_from([1, 2, 4]),
    pads=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    size=st.integers(1, 20),
    known=st.booleans(),
    bias=st.booleans(),
    per_channel=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_same_codes(
    channels: int,
    filters: int,
    height: int,
    width: int,
    stride: int,
    pads: tuple[int, int],
    size: int,
    known: bool,
    bias: bool,
    per_channel: bool,
) -> None:
    left, right = pads
    assume(size + left + right >= width)
    across = (size + left + right - width) // stride + 1
    attributes = f"kernel_shape=[{height},{width}], pads=[1,{left},2,{right}], strides=[2,{stride}]"
    arrays = weights(filters, channels, height, width)
    if not per_channel:
        arrays |= {"sw": np.array(0.02, np.float32), "zw": np.array(0, np.int8)}
    conv = CONV.format(attributes)
    if not bias:
        conv = conv.replace(", b)", ")")
        del arrays["b"]
    sizes = (size, across) if known else ("w", "v")
    interface = f"(uint8[n,{channels},h,{sizes[0]}] x) => (uint8[n,{filters},i,{sizes[1]}] y)"
    after, result = fold(
        model(interface, f"y = {conv}", arrays), {"x": RNG.integers(0, 256, (2, channels, 7, size)).astype(np.uint8)}
    )
    assert result.changes == 1
    assert any(node.op_type == "Shape" for node in after.graph) != known


HEAD = "[q] x = QuantizeLinear(f, sx, zx)"
TRANSPOSED = "[q] g = QuantizeLinear(f, sx, zx) [t] x = Transpose<perm=[0,3,1,2]>(g)"
NEXT = "[d] z = QLinearConv(y, sy, zy, w2, sx, z2, sy, zy)"
HALVED = "kernel_shape=[3,3], pads=[0,0,1,1], strides=[2,2]"


@pytest.mark.parametrize(
    ("image", "head", "before", "after"),
    [
        ("1,3,8,16", HEAD, ["Transpose"], ["Transpose", "Reshape"]),
        ("1,8,16,3", TRANSPOSED, [], ["Reshape"]),
        ("1,1,8,16", HEAD, ["Transpose"], ["Transpose", "Reshape"]),
    ],
    ids=["channels first", "channels last", "one channel"],
)
def test_the_runtime_keeps_no_transposition_more(image: str, head: str, before: list[str], after: list[str]) -> None:
    channels = 1 if "1,1," in image else 3
    arrays = weights(16, channels, 3, 3) | {"w2": weights(16, 16, 1, 1)["w"], "z2": np.array(0, np.int8)}
    nodes = f"{head} [c] y = {CONV.format(HALVED)} {NEXT}"
    inner = (f"uint8[1,{channels},8,16] x", "uint8[1,16,4,8] y")
    plain = model(f"(float[{image}] f) => (uint8[1,16,4,8] z)", nodes, arrays, *inner)
    feed = {"f": RNG.normal(size=[int(size) for size in image.split(",")]).astype(np.float32)}
    folded, _ = fold(plain, feed)
    ends = ["QLinearConv", "QLinearConv", "Transpose"]
    assert [n.op_type for n in optimized_nodes(plain)] == ["QuantizeLinear", *before, *ends]
    assert [n.op_type for n in optimized_nodes(folded)] == ["QuantizeLinear", *after, ends[0], "Reshape", *ends[1:]]


@pytest.mark.parametrize(
    ("shape", "across", "attributes", "why"),
    [
        ("1,3,8,12", "4", "kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,3]", "stride 3"),
        ("1,3,8,16", "16", 'kernel_shape=[3,3], auto_pad="SAME_UPPER"', "auto_pad or dilation"),
        ("1,3,8,16", "16", "kernel_shape=[3,3], pads=[2,2,2,2], dilations=[2,2]", "auto_pad or dilation"),
    ],
)
def test_declines(shape: str, across: str, attributes: str, why: str, check_rewrite: CheckRewrite) -> None:
    arrays = weights(8, 3, 3, 3)
    text = graph(f"(uint8[{shape}] x) => (uint8[1,8,i,{across}] y)", f"[c] y = {CONV.format(attributes)}", arrays)
    feed = {"x": np.zeros([int(size) for size in shape.split(",")], np.uint8)}
    result = check_rewrite(FoldStem(), text, None, feed=feed, context=context("fold-stem"), **arrays)
    assert [(name, reason.detail) for name, reason in result.declined] == [("c", why)]


@pytest.mark.parametrize(
    ("filters", "channels", "group", "change", "declined"),
    [
        (86, 3, 1, {}, ["86 filters, so many that it costs more than it saves"]),
        (8, 3, 1, {"zw": np.full(8, 2, np.int8)}, ["its weights have a zero point"]),
        (8, 4, 1, {}, []),
        (8, 1, 8, {}, []),
    ],
    ids=["many filters", "weights have a zero point", "four channels", "depthwise"],
)
def test_other_convolutions(
    filters: int,
    channels: int,
    group: int,
    change: dict[str, np.ndarray],
    declined: list[str],
    check_rewrite: CheckRewrite,
) -> None:
    arrays = weights(filters, channels, 3, 3) | change
    attributes = f"{THREE_BY_THREE}, group={group}"
    read = channels * group
    text = graph(f"(uint8[1,{read},8,16] x) => (uint8[1,{filters},8,16] y)", f"y = {CONV.format(attributes)}", arrays)
    feed = {"x": RNG.integers(0, 256, (1, read, 8, 16)).astype(np.uint8)}
    result = check_rewrite(FoldStem(), text, None, feed=feed, context=context("fold-stem"), **arrays)
    assert [reason.detail for _, reason in result.declined] == declined


def test_only_where_the_plan_lists_it(check_rewrite: CheckRewrite) -> None:
    arrays = weights(8, 3, 3, 3)
    text = graph("(uint8[1,3,8,16] x) => (uint8[1,8,8,16] y)", f"y = {CONV.format(THREE_BY_THREE)}", arrays)
    feed = {"x": RNG.integers(0, 256, (1, 3, 8, 16)).astype(np.uint8)}
    check_rewrite(FoldStem(), text, None, feed=feed, context=context(), **arrays)
