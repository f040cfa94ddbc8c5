"""The networks and hard cases that benchmarks generate: valid, the same each time, of sane size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from benchmarks.hard_case_fidelity import outputs
from benchmarks.hard_cases import HARD_CASES, HardCase
from benchmarks.networks import NETWORKS, Builder, Network
from benchmarks.networks.layers import batch_norm, conv
from benchmarks.networks.mobilenet import mobilenet_v2
from benchmarks.networks.samples import pictures
from qcompile.runtime import Session

LARGEST = 1e3
"""Of an output of the hard cases; the boxes of the detector are in pixels."""


@pytest.fixture(scope="module", params=HARD_CASES.values(), ids=list(HARD_CASES))
def build(request: pytest.FixtureRequest) -> Callable[[], HardCase]:
    chosen: Callable[[], HardCase] = request.param
    return chosen


def test_a_hard_case_is_valid_and_built_the_same_again(build: Callable[[], HardCase]) -> None:
    case, again = build(), build()
    onnx.checker.check_model(case.network.model, full_check=True)
    assert case.network.model.SerializeToString(deterministic=True) == again.network.model.SerializeToString(
        deterministic=True
    )


def test_a_hard_case_runs_in_float_and_depends_on_its_feed(build: Callable[[], HardCase]) -> None:
    case = build()
    session = Session(ir.from_proto(case.network.model))
    first, second = outputs(case, session, case.network.feeds(2, seed=3))
    for name, part in first.items():
        assert np.isfinite(part).all()
        assert 0 < np.abs(part).max() < LARGEST
        assert not np.allclose(part, second[name])


def test_feeds_are_those_of_their_seed() -> None:
    network = HARD_CASES["squeeze_excite"]().network
    (one,), (same,), (other,) = (network.feeds(1, seed) for seed in (1, 1, 2))
    assert np.array_equal(one["image"], same["image"])
    assert not np.array_equal(one["image"], other["image"])


def test_states_go_from_one_feed_to_the_next() -> None:
    case = HARD_CASES["recurrent"]()
    session = Session(ir.from_proto(case.network.model))
    feed = case.network.feeds(1, seed=3)[0]
    runs = [parts["output 0"].item() for parts in outputs(case, session, [feed] * 3)]
    by_hand = session.run({**feed, **case.first_states})
    assert runs[0] == by_hand[0].item()
    assert runs[1] == session.run({**feed, "hidden": by_hand[1], "cell": by_hand[2]})[0].item()


def test_a_batch_norm_has_the_statistics_of_what_it_normalises() -> None:
    b = Builder(seed=0)
    y = batch_norm(b, conv(b, pictures(b, side=32), 8, 3))
    scale, shift = (np.array(onnx.numpy_helper.to_array(weight)) for weight in b.weights[2:4])
    np.testing.assert_allclose(y.array.mean(axis=(0, 2, 3)), shift, atol=1e-4)
    np.testing.assert_allclose(y.array.std(axis=(0, 2, 3)), np.abs(scale), rtol=1e-3)


def test_a_network_has_the_layers_of_its_paper() -> None:
    network = mobilenet_v2()
    weights = [onnx.numpy_helper.to_array(w) for w in network.model.graph.initializer]
    assert sum(w.ndim == 4 for w in weights) == 52
    assert sum(w.size for w in weights if w.dtype == np.float32) == pytest.approx(3.5e6, rel=0.02)
    (logits,) = Session(ir.from_proto(network.model)).run(network.feeds(1, seed=0)[0])
    assert logits.shape == (1, 1000)
    assert np.isfinite(logits).all()


@pytest.mark.exhaustive
@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_a_network_runs(build: Callable[[], Network]) -> None:
    network = build()
    onnx.checker.check_model(network.model)
    outputs = Session(ir.from_proto(network.model)).run(network.feeds(1, seed=0)[0])
    assert all(np.isfinite(output).all() and output.std() > 0.1 for output in outputs)
