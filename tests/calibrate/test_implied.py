"""What the consumers of an input say about its values, one small graph for each sign."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate.implied import Filled, Free, Implied, State, Tokens, implied_values, unknown_inputs
from qcompile.calibrate.picture_inputs import Picture
from qcompile.calibrate.sources import input_specs
from qcompile.calibrate.waveform_inputs import Waveform


def implied(interface: str, nodes: str, **weights: np.ndarray | tuple[int, ...]) -> dict[str, Implied]:
    """`implied_values` of a graph; of the weights those are taken that the nodes read."""
    used = {name: given for name, given in weights.items() if re.search(rf"\b{name}\b", nodes)}
    arrays = {name: v if isinstance(v, np.ndarray) else np.ones(v, np.float32) for name, v in used.items()}
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g {interface} {{ {nodes} }}',
        initializers=[ir.tensor(array, name=name) for name, array in arrays.items()],
    )
    return implied_values(model, input_specs(model))


ONE, RATE, TWO = np.array(1, np.int64), np.array(16000, np.int64), np.array([2], np.int64)


@pytest.mark.parametrize(
    "nodes",
    [
        "y = Gather(table, ids)",
        "wide = Cast<to = 7>(ids) long = Unsqueeze(wide, one) flat = Flatten(long) y = Gather(table, flat)",
        "two = Concat<axis = 0>(ids, ids) t = Transpose(two) y = Gather(table, t)",
        "many = Gather(table, ids) few = Gather(big, ids) y = Add(many, few)",
    ],
)
def test_what_picks_rows_is_below_their_number(nodes: str) -> None:
    arrays = {"table": np.ones((30, 4), np.float32), "big": np.ones((99, 4), np.float32), "one": np.array([1])}
    assert implied("(int32[B,T] ids) => (float[M,T,N] y)", nodes, **arrays) == {"ids": Tokens(30)}


def test_the_axis_of_the_table_counts() -> None:
    found = implied("(int64[T] ids) => (float[4,T] y)", "y = Gather<axis = -1>(table, ids)", table=(4, 9))
    assert found == {"ids": Tokens(9)}


def test_what_a_one_hot_encoding_reads_is_below_its_depth() -> None:
    values = np.array([0, 1], np.float32)
    found = implied("(int64[T] ids) => (float[T,2] y)", "y = OneHot(ids, depth, v)", depth=TWO, v=values)
    assert found == {"ids": Tokens(2)}


@pytest.mark.parametrize(
    ("node", "number"),
    [("Equal(rate, c)", 16000), ("Equal(c, rate)", 16000), ("Less(rate, c)", 16000), ("Greater(rate, one)", 1)],
)
def test_a_switch_is_what_it_is_compared_with(node: str, number: int) -> None:
    assert implied("(int64 rate) => (bool y)", f"y = {node}", c=RATE, one=ONE) == {"rate": Filled(number)}


def test_a_switch_of_branches() -> None:
    nodes = """is = Equal(rate, c)
    y = If (is) <
      then_branch = a () => (float[1] p) { p = Neg(x) },
      else_branch = b () => (float[1] q) { q = Exp(x) }>"""
    found = implied("(float[1] x, int64 rate) => (float[1] y)", nodes, c=RATE)
    assert found == {"x": Free(), "rate": Filled(16000)}


@pytest.mark.parametrize(
    "nodes",
    [
        "f = Cast<to = 1>(mask) y = Mul(x, f)",
        "f = Cast<to = 1>(mask) m = Sub(one, f) n = Mul(m, low) y = Add(x, n)",
        "b = Cast<to = 9>(mask) y = Where(b, x, low)",
        "b = Equal(mask, zero) y = Where(b, low, x)",
        "b = Greater(mask, zero) y = Where(b, x, low)",
    ],
)
def test_masks_are_ones(nodes: str) -> None:
    low, one, zero = np.array(-3.4e38, np.float32), np.array(1, np.float32), np.array(0, np.int64)
    found = implied("(float[B,T] x, int64[B,T] mask) => (float[B,T] y)", nodes, low=low, one=one, zero=zero)
    assert found == {"x": Free(), "mask": Filled(1)}


def test_a_float_mask_is_ones_and_what_is_only_inverted_is_data() -> None:
    low, one = np.array(-1e4, np.float32), np.array(1, np.float32)
    nodes = "m = Sub(one, mask) n = Mul(m, low) i = Sub(one, x) y = Add(i, n)"
    found = implied("(float[B,T] x, float[B,T] mask) => (float[B,T] y)", nodes, low=low, one=one)
    assert found == {"x": Free(), "mask": Filled(1)}


def test_whole_numbers_that_are_multiplied_are_data() -> None:
    found = implied("(int64[B,4] n) => (float[B,2] y)", "f = Cast<to = 1>(n) y = MatMul(f, w)", w=(4, 2))
    assert found == {"n": Free()}


def test_booleans_are_true() -> None:
    assert implied("(bool flag) => (bool y)", "y = Not(flag)") == {"flag": Filled(1)}


@pytest.mark.parametrize(
    "nodes",
    [
        "y = Reshape(x, n)",
        "y = Expand(x, n)",
        "y, i = TopK(x, n)",
        "y = ReduceSum(x, n)",
        "c = Concat<axis = 0>(n, two) y = Slice(x, two, c)",
        "y = Loop(n, , x) <body = b (int64 i, bool c, float[B] h) => (bool c2, float[B] o) "
        "{ c2 = Identity(c) o = Neg(h) }>",
    ],
)
def test_shapes_counts_and_axes_are_small(nodes: str) -> None:
    assert implied("(float[B] x, int64[1] n) => (float[M] y)", nodes, two=TWO)["n"] == Filled(1)


@pytest.mark.parametrize(
    ("shape", "first", "expected"),
    [
        ("N,3,H,W", "p = Identity(x)", Picture(3, 1)),
        ("N,C,H,W", "p = Cast<to = 1>(x)", Picture(3, 1)),
        ("N,H,W,3", "p = Transpose<perm = [0, 3, 1, 2]>(x)", Picture(3, 3)),
        ("N,H,W,C", "p = Transpose<perm = [0, 3, 1, 2]>(x)", Picture(3, 3)),
        ("N,3,H,W", "p = Div(x, c255)", Picture(3, 1, (0, 255))),
        ("N,3,H,W", "s = Sub(x, mean) p = Mul(s, std)", Picture(3, 1, (0, 255))),
        ("N,3,H,W", "s = Sub(x, half) p = Div(s, half)", Picture(3, 1, (0, 1))),
        ("N,3,H,W", "s = Mul(x, c255) p = Sub(s, mean)", Picture(3, 1, (0, 1))),
        ("N,3,H,W", "p = BatchNormalization(x, half, half, mean, std)", Picture(3, 1, (0, 255))),
        ("N,H,W,4", "p = Transpose<perm = [0, 3, 1, 2]>(x)", Free()),
        ("N,3,H", "p = Unsqueeze(x, last)", Free()),
    ],
)
def test_pictures_by_layout_and_scale(shape: str, first: str, expected: Implied) -> None:
    found = implied(
        f"(float[{shape}] x) => (float[N,8,P,Q] y)",
        f"{first} y = Conv(p, w)",
        w=(8, 3, 3, 3),
        c255=np.array(255, np.float32),
        mean=np.array([123.7, 116.3, 103.5], np.float32).reshape((3,) if "Batch" in first else (3, 1, 1)),
        std=np.full(3, 58, np.float32).reshape((3,) if "Batch" in first else (3, 1, 1)),
        half=np.full(3, 0.5, np.float32).reshape((3,) if "Batch" in first else (3, 1, 1)),
        last=np.array([3]),
    )
    assert found == {"x": expected}


@pytest.mark.parametrize(
    ("shape", "nodes", "expected"),
    [
        ("N,T", "u = Unsqueeze(x, one) p = Pad(u, pads) y = Conv(p, w)", Waveform()),
        ("N,1,T", "y = Conv(x, w)", Waveform()),
        ("N,1,T", "c = Conv(x, w) y = InstanceNormalization(c, eight, eight)", Free()),
        ("N,C,T", "y = Conv(x, w)", Free()),
        ("N,1,T", "y = Conv(x, pointwise)", Free()),
        ("N,80,T", "y = Conv(x, bands)", Free()),
    ],
)
def test_sound_is_what_a_convolution_along_time_reads(shape: str, nodes: str, expected: Implied) -> None:
    found = implied(
        f"(float[{shape}] x) => (float[N,8,M] y)",
        nodes,
        one=np.array([1]),
        pads=np.array([0, 0, 4, 0, 0, 4]),
        eight=(8,),
        w=(8, 1, 9),
        pointwise=(8, 1, 1),
        bands=(8, 80, 3),
    )
    assert found == {"x": expected}


def test_bytes_of_a_picture_go_up_to_255() -> None:
    found = implied("(uint8[N,1,H,W] x) => (float[N,8,P,Q] y)", "p = Cast<to = 1>(x) y = Conv(p, w)", w=(8, 1, 3, 3))
    assert found == {"x": Picture(1, 1, (0, 255))}


def test_feature_maps_are_no_pictures() -> None:
    assert implied("(float[N,16,H,W] x) => (float[N,8,H,W] y)", "y = Conv(x, w)", w=(8, 16, 1, 1)) == {"x": Free()}


RECURRENT = {"w": (1, 8, 4), "r": (1, 8, 2), "b": (1, 16)}


def test_initial_states_are_zeros_even_inside_a_branch() -> None:
    nodes = """y = If (flag) <
      then_branch = a () => (float[T,1,B,2] p)
        { h0 = Gather(h, zero) p, n, c = LSTM<hidden_size = 2>(x, w, r, b, , h0) },
      else_branch = e () => (float[T,1,B,2] q) { q, n2, c2 = LSTM<hidden_size = 2>(x, w, r, b) }>"""
    found = implied(
        "(float[T,B,4] x, float[2,1,B,2] h, bool flag) => (float[T,1,B,2] y)",
        nodes,
        zero=np.array(0, np.int64),
        **RECURRENT,
    )
    assert found == {"x": Free(), "h": State(), "flag": Filled(1)}


def test_what_comes_out_again_is_a_state() -> None:
    nodes = "t = Add(x, cache) new = Tanh(t) y = Exp(new)"
    assert implied("(float[1,4] x, float[1,4] cache) => (float[1,4] y, float[1,4] new)", nodes) == {
        "x": Free(),
        "cache": State(),
    }


def test_a_single_output_of_the_inputs_shape_makes_no_state() -> None:
    found = implied("(float[1,4] a, float[1,4] b) => (float[1,4] y)", "y = Add(a, b)")
    assert found == {"a": Free(), "b": Free()}


def test_values_are_followed_into_loops_and_functions() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21, "local": 1]>
        g (int64[T] ids, int64 trips) => (float[T,4] y) {
          e = Loop(trips, , ids) <body = b (int64 i, bool c, int64[T] inner) => (bool c2, int64[T] inner2)
            { c2 = Identity(c) inner2 = Identity(inner) }>
          y = local.embed(e, table)
        }
        <opset_import: ["": 21], domain: "local"> embed (picked, rows) => (z) { z = Gather(rows, picked) }""",
        initializers=[ir.tensor(np.ones((7, 4), np.float32), name="table")],
    )
    found = implied_values(model, input_specs(model))
    assert found["trips"] == Filled(1)


def test_inputs_that_may_be_of_any_size() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[1,1,8,8] told, float[1,1,8,8] untold, float[1,64] free, int64[4] ids)
          => (float[1,2,8,8] u, float[1,2,8,8] v, float[1,128] w, float[4,1,1,1] z) {
            halves = Constant <value = float {127.5}> ()
            middle = Sub(told, halves)
            u = Conv <pads = [0, 0, 0, 0]> (middle, kernel)
            v = Conv <pads = [0, 0, 0, 0]> (untold, kernel)
            w = Concat <axis = 1> (free, free)
            z = Gather(kernel, ids)
        }""",
        initializers=[ir.tensor(np.ones((2, 1, 1, 1), np.float32), name="kernel")],
    )
    assert unknown_inputs(model, input_specs(model)) == {"untold", "free"}
