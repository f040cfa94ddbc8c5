"""Factors from the weights and from the data, held against what they promise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import make_plan, place, scale_links
from qcompile.decide.equalisation import equalised, smoothed, weight_blocks
from qcompile.passes.repair import migrated_constant
from qcompile.plan import Plan
from qcompile.quant import ChannelRange
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
RNG = np.random.default_rng(4)
CHAIN = """g (float[1, 3, 8, 8] x) => (float[1, 5, 6, 6] y) {
    [wide] a = Conv(x, w0) b = Relu(a) [deep] c = Conv<group=16>(b, w1) d = Relu(c) [narrow] y = Conv(d, w2)
}"""
NORM = "g (float[2, 6, 8] x) => (float[2, 6, 4] y) { n = LayerNormalization(x, scale) [product] y = MatMul(n, weight) }"


def chain(model: Model, sizes: np.ndarray) -> ir.Model:
    shapes = {"w0": (16, 3, 1, 1), "w1": (16, 1, 3, 3), "w2": (5, 16, 1, 1)}
    w0, w1, w2 = (RNG.normal(size=shape) for shape in shapes.values())
    arrays = {"w0": w0 * sizes[:, None, None, None], "w1": w1, "w2": w2 / sizes[:, None, None]}
    return model(CHAIN, **{name: array.astype(np.float32) for name, array in arrays.items()})


def test_weights_are_alike_on_both_sides(model: Model) -> None:
    """To within the rounding of two factors to powers of two, whatever the sizes were: along the whole chain."""
    made = chain(model, np.geomspace(0.02, 50, 16))
    migrations = equalised(scale_links(made))
    wide, deep, narrow = (migrated_constant(node, 1, migrations) for node in made.graph if node.op_type == "Conv")
    assert wide is not None and deep is not None and narrow is not None
    sizes = [np.abs(wide).max((1, 2, 3)), np.abs(deep).max((1, 2, 3)), np.abs(narrow).max((0, 2, 3))]
    for one, other in pairwise(sizes):
        ratios = one / other
        assert ratios.max() / ratios.min() <= 2**2.1


def test_factors_are_powers_of_two(model: Model) -> None:
    for factors in equalised(scale_links(chain(model, np.geomspace(0.02, 50, 16)))).values():
        np.testing.assert_array_equal(np.log2(factors), np.round(np.log2(factors)))


def test_what_is_alike_stays(model: Model) -> None:
    ones = {"w0": np.ones((16, 3, 1, 1)), "w1": np.ones((16, 1, 3, 3)), "w2": np.ones((5, 16, 1, 1))}
    made = model(CHAIN, **{name: array.astype(np.float32) for name, array in ones.items()})
    assert not equalised(scale_links(made))


def test_dead_channels_keep_finite_factors(model: Model) -> None:
    sizes = np.ones(16)
    sizes[:4] = 1e-30
    made = chain(model, sizes)
    made.graph.initializers["w0"].const_value = ir.tensor(np.zeros((16, 3, 1, 1), np.float32), name="w0")
    for factors in equalised(scale_links(made)).values():
        assert np.isfinite(factors).all() and min(factors) > 0


@pytest.mark.parametrize("is_integer", [True, False])
def test_outliers_move_into_the_weights(model: Model, is_integer: bool) -> None:
    """The product of what is rounded comes nearer to the exact one; with float activations, weights are at stake."""
    loud = np.where(np.arange(8) == 3, 60.0, 1.0)
    weight = (RNG.normal(size=(8, 4)) / np.where(loud > 1, 20.0, 1.0)[:, None]).astype(np.float32)
    made = model(NORM, scale=loud.astype(np.float32), weight=weight)
    n = (RNG.normal(size=(200, 8)) * loud).astype(np.float32)
    placement = place(made, CPU, () if is_integer else ("product",))
    plan = make_plan(placement, {"n": (float(n.min()), float(n.max()))}, CPU, "qoperator")
    assert plan.is_integer("product") == is_integer
    ranges = {"n": ChannelRange(-1).observe(n)}
    migrations = smoothed(scale_links(made), plan, ranges)
    if is_integer:
        factors = np.asarray(migrations["n"])
        assert product_error(n / factors, weight * factors[:, None]) < 0.25 * product_error(n, weight)
    else:
        assert not migrations  # its weights are not rounded either


def product_error(x: np.ndarray, weight: np.ndarray) -> float:
    """Squared error of a product of 8-bit numbers."""
    step = (x.max() - x.min()) / 255
    steps = np.abs(weight).max(axis=0) / 127
    rounded = (np.round(x / step) * step) @ (np.round(weight / steps) * steps)
    return float(((rounded - x @ weight) ** 2).sum())


def test_what_gains_too_little_is_not_scaled(model: Model) -> None:
    made = model(NORM, scale=np.ones(8, np.float32), weight=RNG.normal(size=(8, 4)).astype(np.float32))
    n = RNG.normal(size=(200, 8)).astype(np.float32)
    plan = make_plan(place(made, CPU), {"n": (float(n.min()), float(n.max()))}, CPU, "qoperator")
    assert not smoothed(scale_links(made), plan, {"n": ChannelRange(-1).observe(n)})


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        ("Conv<group=2>(x, w)", (6, 2, 3, 3)),
        ("ConvTranspose<group=2>(x, w)", (4, 3, 3, 3)),
    ],
)
def test_blocks_tell_which_output_reads_which_input(model: Model, node: str, shape: tuple[int, ...]) -> None:
    made = model(f"g (float[1, 4, 8, 8] x) => (float y) {{ y = {node} }}", w=RNG.normal(size=shape).astype(np.float32))
    blocks = weight_blocks(made.graph.node(0))
    assert blocks.shape == (2, 3, 2, 9)
    weight = made.graph.initializers["w"].const_value
    assert weight is not None
    array = weight.numpy()
    for g, o, i in np.ndindex(2, 3, 2):
        taps = array[3 * g + o, i] if node.startswith("Conv<") else array[2 * g + i, o]
        np.testing.assert_array_equal(blocks[g, o, i], taps.reshape(-1))


def test_no_links_no_factors() -> None:
    assert equalised([]) == {}
    assert smoothed([], Plan("cpu"), {}) == {}
