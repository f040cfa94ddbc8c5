"""A plan with scales moved is the plan of the model whose scales have moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import Observations, observe
from qcompile.decide import (
    AUTOMATIC,
    Drafter,
    Placement,
    WeightRounder,
    bias_shifts,
    check_fits,
    mean_axes,
    place,
    range_axes,
    scale_links,
    scale_migrations,
    weight_rounder,
)
from qcompile.passes.observe import InsertObservers
from qcompile.passes.repair import MigrateScales
from qcompile.pipeline import Context, Pipeline
from qcompile.plan import Plan, dumps, loads
from qcompile.quant import Comparison, Rounding
from qcompile.runtime import run_as_written
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 8, 8, 8] x) => (float[1, 8, 6, 6] z) {
    [wide] a = Conv(x, w0, b0) [clamp] b = Relu(a) [deep] c = Conv<group=16>(b, w1, b1) [leak] d = Relu(c)
    [narrow] y = Conv(d, w2) z = Elu(y)
}"""
FEEDS = [{"x": np.random.default_rng(seed).normal(size=(1, 8, 8, 8)).astype(np.float32)} for seed in range(4)]


@pytest.fixture
def hard(model: Model) -> ir.Model:
    """Channels whose sizes differ a thousandfold, each as important as any other."""
    rng = np.random.default_rng(0)
    sizes = rng.permutation(np.geomspace(0.03, 30, 16))
    arrays = {
        "w0": rng.normal(size=(16, 8, 1, 1)) * sizes[:, None, None, None],
        "b0": rng.normal(size=16) * sizes,
        "w1": rng.normal(size=(16, 1, 3, 3)),
        "b1": rng.normal(size=16) * sizes,
        "w2": rng.normal(size=(8, 16, 1, 1)) / sizes[:, None, None],
    }
    return model(TEXT, **{name: array.astype(np.float32) for name, array in arrays.items()})


def drafted(model: ir.Model) -> tuple[Drafter, Placement]:
    placement, links = place(model, CPU), scale_links(model)
    axes, channels = mean_axes(placement), range_axes(placement, links)
    shown = model.clone()
    InsertObservers(list(dict.fromkeys([*placement.observed, *axes, *channels]))).run(shown, Context())
    seen = observe(shown, placement.observed, FEEDS, AUTOMATIC, axes, channels)
    return Drafter(model, {}, seen, placement.groups, CPU, "qoperator"), placement


def migrated(model: ir.Model, plan: Plan) -> ir.Model:
    moved = model.clone()
    MigrateScales().run(moved, Context(plan=plan))
    return moved


@pytest.mark.parametrize("how", [0, 2], ids=["smoothed", "equalised"])
def test_it_is_the_plan_of_the_migrated_model(hard: ir.Model, how: int) -> None:
    drafter, placement = drafted(hard)
    plan = scale_migrations(drafter, scale_links(hard))[how](placement, drafter.plain(placement, "min-max"))
    assert plan is not None
    moved, moved_placement = drafted(migrated(hard, plan))
    wanted = moved.plain(moved_placement, "min-max")
    assert (plan.values, plan.weights, plan.nodes) == (wanted.values, wanted.weights, wanted.nodes)
    shifts = bias_shifts(placement, plan, drafter.seen.means)
    foretold = bias_shifts(moved_placement, wanted, moved.seen.means)
    assert shifts.keys() == foretold.keys()
    for node, shift in shifts.items():
        np.testing.assert_allclose(shift, foretold[node], rtol=1e-3, atol=1e-6)


def test_weights_are_rounded_as_those_of_the_migrated_model(hard: ir.Model) -> None:
    drafter, placement = drafted(hard)
    plan = scale_migrations(drafter, scale_links(hard))[0](placement, drafter.plain(placement, "min-max"))
    assert plan is not None
    moved = migrated(hard, plan)
    alone = weight_rounder(moved, FEEDS).rounded(replace(plan, migrations={}), Rounding.DESCENT)
    rounder: WeightRounder = weight_rounder(hard, FEEDS)
    assert rounder.rounded(plan, Rounding.DESCENT).roundings == alone.roundings


def test_the_error_shrinks(hard: ir.Model) -> None:
    drafter, placement = drafted(hard)
    plain = drafter.plain(placement, "min-max")
    steps = scale_migrations(drafter, scale_links(hard))
    better = [step(placement, plain) for step in steps]
    before = sqnr_db(hard, plain)
    assert before < 15
    for plan in better:
        assert plan is not None and sqnr_db(hard, plan) > before + 15


def sqnr_db(model: ir.Model, plan: Plan) -> float:
    stages = Pipeline.default().stage("repair", "quantize")
    quantized, _ = stages.run(model.clone(), Context(plan=plan))
    comparison = Comparison(["z"])
    for feed in FEEDS:
        comparison.update(list(run_as_written(model, feed)), list(run_as_written(quantized, feed)))
    return comparison.result()[0].sqnr_db


def test_it_fits_the_model_and_comes_back_from_a_file(hard: ir.Model) -> None:
    drafter, placement = drafted(hard)
    plan = scale_migrations(drafter, scale_links(hard))[0](placement, drafter.plain(placement, "min-max"))
    assert plan is not None and plan.notes["scales"] == "smoothed"
    check_fits(plan, hard, CPU)
    assert loads(dumps(plan)) == plan


def test_scales_move_once(hard: ir.Model) -> None:
    drafter, placement = drafted(hard)
    smooth, *others = scale_migrations(drafter, scale_links(hard))
    plan = smooth(placement, drafter.plain(placement, "min-max"))
    assert plan is not None
    assert [step(placement, plan) for step in others] == [None] * 3


def test_what_was_not_seen_by_channel_stays(hard: ir.Model) -> None:
    drafter, placement = drafted(hard)
    blind = replace(drafter, seen=Observations(drafter.seen.observers, drafter.seen.means))
    plan = blind.plain(placement, "min-max")
    assert [step(placement, plan) for step in scale_migrations(blind, scale_links(hard))] == [None] * 4
    assert scale_migrations(drafter, []) == []
