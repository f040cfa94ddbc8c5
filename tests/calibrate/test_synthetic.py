"""Feeds made up from the model alone: their values, their shapes, and the proof that the model runs on them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate.hypotheses import LENGTHS, TRIALS
from qcompile.calibrate.sources import input_specs, open_feeds
from qcompile.calibrate.synthetic import STEPS, synthetic_feeds
from qcompile.errors import CalibrationError
from qcompile.pipeline import Feed


def graph(interface: str, nodes: str, **weights: np.ndarray | tuple[int, ...]) -> ir.Model:
    """A model from text; weights given by shape are ones."""
    arrays = {name: w if isinstance(w, np.ndarray) else np.ones(w, np.float32) for name, w in weights.items()}
    return ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g {interface} {{ {nodes} }}',
        initializers=[ir.tensor(array, name=name) for name, array in arrays.items()],
    )


def feeds_of(
    model: ir.Model, count: int = 1, seed: int = 0, shapes: Mapping[str, Sequence[int]] | None = None
) -> Sequence[Feed]:
    return synthetic_feeds(model, input_specs(model), count, seed, shapes)


def embedding() -> ir.Model:
    nodes = "t = Gather(table, ids) f = Cast<to = 1>(mask) a = Unsqueeze(f, last) y = Mul(t, a)"
    return graph("(int64[B,T] ids, int64[B,T] mask) => (float[B,T,4] y)", nodes, table=(50, 4), last=np.array([-1]))


def test_values_fit_the_model_and_repeat_with_the_seed() -> None:
    model = graph(
        "(float[100,100] x, int64[100] some, bool[3] flag) => (float[100,100] y, int64[100] s, bool[3] f)",
        "y = Exp(x) s = Neg(some) f = Not(flag)",
    )
    feeds = list(feeds_of(model, 3, 7))
    np.testing.assert_equal(list(open_feeds(feeds, input_specs(model))), feeds)
    np.testing.assert_equal(list(feeds_of(model, 3, 7)), feeds)
    assert not np.array_equal(feeds[0]["x"], feeds[1]["x"])
    assert not np.array_equal(feeds[0]["x"], feeds_of(model, 1, 8)[0]["x"])
    assert abs(float(feeds[0]["x"].std()) - 1) < 0.05
    assert set(feeds[0]["some"].flat) == {0, 1}
    assert feeds[0]["flag"].all()


def test_samples_are_made_when_they_are_asked_for() -> None:
    feeds = feeds_of(embedding(), 3)
    np.testing.assert_equal(feeds[-1], feeds[2])
    np.testing.assert_equal(feeds[1:], [feeds[1], feeds[2]])
    with pytest.raises(IndexError):
        feeds[3]


def test_tokens_are_in_range_and_their_samples_differ_in_length() -> None:
    feeds = feeds_of(embedding(), 8)
    lengths = [feed["ids"].shape[1] for feed in feeds]
    assert (min(lengths), max(lengths), len(set(lengths))) == (8, 128, 8)
    for feed in feeds:
        assert feed["ids"].shape == feed["mask"].shape
        assert (feed["mask"] == 1).all()
    ids = np.concatenate([feed["ids"][0] for feed in feeds])
    assert set(ids) == set(range(50))


def test_tokens_have_one_length_where_the_model_takes_one_only() -> None:
    nodes = "t = Gather(table, ids) y = Add(t, positions)"
    model = graph("(int64[B,T] ids) => (float[B,T,4] y)", nodes, table=(50, 4), positions=(1, 77, 4))
    assert {feed["ids"].shape for feed in feeds_of(model, 8)} == {(1, 77)}


@pytest.mark.parametrize(
    ("shape", "nodes", "expected"),
    [
        ("batch,3,h,w", "y = Conv(x, w)", (1, 3, 224, 224)),
        ("batch,c,h,w", "y = Conv(x, w)", (1, 3, 224, 224)),
        ("batch,h,w,3", "t = Transpose<perm = [0, 3, 1, 2]>(x) y = Conv(t, w)", (1, 224, 224, 3)),
        ("batch,3,48,w", "y = Conv(x, w)", (1, 3, 48, 224)),
        ("batch,3,h,w", "c = Conv(x, w) y = Add(c, map)", (1, 3, 64, 64)),
        ("batch,3,h,w", "c = Conv<strides = [30, 1]>(x, w) y = Squeeze(c, two)", (1, 3, 32, 320)),
    ],
)
def test_pictures_have_the_first_size_that_runs(shape: str, nodes: str, expected: tuple[int, ...]) -> None:
    weights = {"w": np.ones((2, 3, 3, 3), np.float32), "map": np.ones((1, 2, 62, 62), np.float32), "two": np.array([2])}
    model = graph(f"(float[{shape}] x) => (float y)", nodes, **{k: w for k, w in weights.items() if f"{k})" in nodes})
    model.graph.outputs[0].shape = None
    (feed,) = feeds_of(model)
    assert feed["x"].shape == expected
    assert abs(float(feed["x"].mean())) < 1e-5
    assert abs(float(feed["x"].std()) - 1) < 1e-5


def test_pictures_of_a_known_scale_are_pixels() -> None:
    nodes, c = "s = Div(x, c) y = Conv(s, w)", np.array(255, np.float32)
    (feed,) = feeds_of(graph("(float[B,3,H,W] x) => (float[B,2,P,Q] y)", nodes, w=(2, 3, 3, 3), c=c))
    assert feed["x"].min() >= 0
    assert 200 < feed["x"].max() <= 255
    assert 90 < feed["x"].mean() < 140


RECURRENT = {"w": (1, 8, 4), "r": (1, 8, 2), "b": (1, 16)}


def test_states_are_zeros_and_share_their_batch_with_the_data() -> None:
    model = graph(
        "(float[T,B,4] x, float[1,B,2] h, int64 rate) => (float[T,1,B,2] y, float[1,B,2] hn)",
        "q = Equal(rate, k) f = Cast<to = 1>(q) z = Mul(x, f) y, hn, c = LSTM<hidden_size = 2>(z, w, r, b, , h)",
        k=np.array(16000),
        **RECURRENT,
    )
    feed = feeds_of(model)[0]
    assert (feed["x"].shape, feed["h"].shape) == ((1, 1, 4), (1, 1, 2))
    assert feed["rate"] == 16000
    assert not feed["h"].any()


def test_a_state_that_comes_out_goes_into_the_next_sample() -> None:
    model = graph("(float[1,2] x, float[B,2] h) => (float[1,2] y, float[B,2] hn)", "y = Exp(x) hn = Add(h, x)")
    feeds = feeds_of(model)
    assert len(feeds) == STEPS
    np.testing.assert_array_equal(feeds[0]["h"], np.zeros((1, 2)))
    np.testing.assert_array_equal(feeds[2]["h"], feeds[0]["x"] + feeds[1]["x"])


def test_sound_is_a_second_long() -> None:
    nodes = "u = Unsqueeze(x, one) y = Conv<strides = [5]>(u, w)"
    (feed, soft) = feeds_of(graph("(float[B,N] x) => (float[B,8,T] y)", nodes, one=np.array([1]), w=(8, 1, 10)), 2)
    assert feed["x"].shape == (1, 16000)
    assert abs(feed["x"]).max() == 1
    assert abs(soft["x"]).max() < 1


def test_sound_beside_a_state_comes_in_pieces_for_which_the_state_stays_small() -> None:
    # Of pieces that run, those of 560 samples and more leave the state alone; shorter ones let it grow.
    model = graph(
        "(float[B,N] x, float[1,1] h) => (float[B,8,T] y, float[1,1] hn)",
        "u = Unsqueeze(x, one) y = Conv(u, w) s = Shape<start = 1>(x) f = Cast<to = 1>(s) "
        "short = Less(f, limit) g = Cast<to = 1>(short) m = ReduceMax<keepdims = 1>(y) q = Mul(m, tiny) "
        "r = Reshape(q, ones) a = Add(h, g) b = Mul(a, half) c = Add(a, r) hn = Where(short, c, b)",
        one=np.array([1]),
        ones=np.array([1, 1]),
        limit=np.array([560], np.float32),
        half=np.array(0.5, np.float32),
        tiny=np.array(1e-6, np.float32),
        w=(8, 1, 10),
    )
    feeds = feeds_of(model)
    assert feeds[0]["x"].shape == (1, 576)
    assert abs(feeds[-1]["h"]).max() < 1e-3


@pytest.mark.parametrize(("interface", "expected"), [("float[n] x", (16,)), ("float[n] x, float[n,2] z", (1,))])
def test_the_only_axis_of_an_input_is_a_length_unless_it_is_the_batch(interface: str, expected: tuple[int]) -> None:
    (feed,) = feeds_of(graph(f"({interface}) => (float[n] y)", "y = Exp(x)"))
    assert feed["x"].shape == expected


def test_a_length_that_is_named_as_a_sum_is_the_sum() -> None:
    model = graph(
        "(int64[B,T] ids, float[B,2,P,4] cache, float[B,M] mask) => (float[B,T,4] y, float[B,2,P,4] new)",
        "y = Gather(table, ids) new = Add(cache, c) s = Add(mask, c)",
        table=(9, 4),
        c=np.array(1, np.float32),
    )
    mask = model.graph.inputs[2]
    mask.shape = ir.Shape(["B", "P + T"])
    (feed,) = feeds_of(model)
    assert (feed["ids"].shape, feed["cache"].shape, feed["mask"].shape) == ((1, 128), (1, 2, 1, 4), (1, 129))


def test_a_given_shape_sets_the_symbols_that_other_inputs_share() -> None:
    (feed,) = feeds_of(embedding(), shapes={"ids": (2, 40)})
    assert feed["mask"].shape == feed["ids"].shape == (2, 40)


def test_what_has_no_size_that_runs_is_one_line_after_few_trials() -> None:
    assert len(LENGTHS) < TRIALS
    model = graph("(float[B,T] x) => (float[B,2] y)", "y = MatMul(x, w)", w=(17, 2))
    with pytest.raises(CalibrationError) as raised:
        feeds_of(model)
    line = str(raised.value)
    assert line.startswith("no synthetic sample that the model runs on (tried last x [1,16000]: onnxruntime cannot run")
    assert line.endswith("; give --input-shape x=... or data with --calib")
    assert "\n" not in line


def test_what_does_not_run_in_the_only_shape_wants_data() -> None:
    model = graph("(float[4] x, int64[2] n) => (float[3,3] y)", "y = Reshape(x, n)")
    with pytest.raises(CalibrationError, match=r"; give data with --calib$"):
        feeds_of(model)


ANY = """<ir_version: 10, opset_import: ["": 21]>
    g (float[n,3] x, float any, string[1] text) => (float[n,3] y, float a, string[1] t)
    { y = Identity(x) a = Identity(any) t = Identity(text) }"""


@pytest.mark.parametrize(
    ("shapes", "line"),
    [
        ({"y": (1, 3)}, "no input 'y' in the model (it has 'x', 'any', 'text')"),
        ({"x": (1, 4)}, "wrong shape for input 'x' ([1,4], it is [n,3])"),
        ({}, "no shape of input 'any' in the model; give --input-shape any=1,3,224,224"),
        ({"any": (2,)}, "no synthetic values for input 'text' (object); give data"),
    ],
)
def test_what_cannot_be_made_up_is_one_line(shapes: dict[str, tuple[int, ...]], line: str) -> None:
    model = ir.from_onnx_text(ANY)
    model.graph.inputs[1].shape = None
    with pytest.raises(CalibrationError, match=f"^{re.escape(line)}$"):
        feeds_of(model, shapes=shapes)
