"""Weights of plans for targets that have CPUs without VNNI: no pair of products leaves 16 bits, from plan to file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import known_ranges, make_plan, place, weight_rounder
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Plan
from qcompile.quant import Rounding
from qcompile.targets import WITHOUT_VNNI, find_target
from qcompile.verify import exact_classes, saturating_nodes

Model = Callable[..., ir.Model]

TEXT = """g (float[1, 3, 8, 8] x) => (float[1, 6] y) {
    [stem] a = Conv <pads = [1, 1, 1, 1]> (x, stem_w)
    [grouped] b = Conv <group = 4, pads = [1, 1, 1, 1]> (a, grouped_w)
    [depthwise] c = Conv <group = 16, pads = [1, 1, 1, 1]> (b, depthwise_w)
    [dense] d = Conv (c, dense_w)
    [pool] e = GlobalAveragePool(d)
    [flat] f = Flatten(e)
    [head] y = Gemm <transB = 1> (f, head_w)
}"""

SHAPES = {
    "stem_w": (16, 3, 3, 3),
    "grouped_w": (16, 4, 3, 3),
    "depthwise_w": (16, 1, 3, 3),
    "dense_w": (8, 16, 3, 3),
    "head_w": (6, 8),
}


@pytest.fixture
def net(model: Model) -> ir.Model:
    """Weights like those that saturate: uniform, all of them large, so that neighbours of one sign abound."""
    rng = np.random.default_rng(7)
    weights = {n: rng.choice([-1, 1], s) * rng.uniform(0.6, 1, s) for n, s in SHAPES.items()}
    return model(TEXT, **{name: weight.astype(np.float32) for name, weight in weights.items()})


def planned(model: ir.Model, target: str) -> Plan:
    found = find_target(target)
    placement = place(model, found)
    ranges = dict.fromkeys(placement.observed, (0.0, 4.0)) | known_ranges(model, placement)
    return make_plan(placement, ranges, found, "qoperator")


def lowered(model: ir.Model, plan: Plan) -> ir.Model:
    context = Context(target=find_target(plan.target), plan=plan)
    return Pipeline.default().stage("repair", "quantize", "lower").run(model.clone(), context)[0]


def test_without_the_bound_every_dense_layer_saturates(net: ir.Model) -> None:
    built = lowered(net, planned(net, "cpu"))
    assert {"stem", "grouped", "dense", "head"} <= set(_bases(saturating_nodes(built)))
    assert exact_classes(built, find_target("cpu")) == ("x86-64 with VNNI", "arm64")


@pytest.mark.parametrize("target", ["x86-64", "x86-avx2"])
def test_with_it_none_does(net: ir.Model, target: str) -> None:
    built = lowered(net, planned(net, target))
    assert saturating_nodes(built) == []
    assert exact_classes(built, find_target(target)) == ("x86-64 with VNNI", WITHOUT_VNNI)


@pytest.mark.parametrize("method", list(Rounding))
def test_nor_with_rounded_weights(net: ir.Model, method: Rounding) -> None:
    rng = np.random.default_rng(1)
    feeds = [{"x": rng.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(4)]
    plan = weight_rounder(net, feeds).rounded(planned(net, "x86-64"), method)
    assert plan.roundings
    assert saturating_nodes(lowered(net, plan)) == []


def test_depthwise_kernels_widen_bytes_and_keep_their_scales(net: ir.Model) -> None:
    plain, bounded = planned(net, "cpu").weights, planned(net, "x86-64").weights
    assert plain["depthwise", 1] == bounded["depthwise", 1]
    assert np.all(bounded["dense", 1].scale > plain["dense", 1].scale)


def test_a_result_for_another_target_may_prove_it_too(net: ir.Model) -> None:
    small = planned(net, "cpu")
    small.weights |= planned(net, "x86-64").weights
    built = lowered(net, small)
    assert exact_classes(built, find_target("cpu")) == ("x86-64 with VNNI", "arm64", WITHOUT_VNNI)
    assert exact_classes(built, find_target("arm64")) == ("arm64",)


def _bases(names: Sequence[str]) -> list[str]:
    return [name.split("_")[0] for name in names]
