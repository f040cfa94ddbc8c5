"""Prices: times of the runtime's nodes given to the units that they came from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from qcompile.decide import place
from qcompile.decide.estimate import cheaper_in_float
from qcompile.decide.prices import CONVERSION_US, QUANTIZE_NS, count_elements, priced
from qcompile.runtime import ONE_THREAD, Event
from qcompile.targets import KernelPrices, find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel) [relu] r = Relu(a) [conv2] b = Conv(r, kernel) [sum] s = Add(b, r)
    [conv3] c = Conv(s, kernel) y = Elu(c)
}"""


def test_what_is_fused_counts_for_the_product_in_it(model: Model) -> None:
    built = model(TEXT)
    floating = {"r": ("Conv", 10.0), "s": ("Conv", 20.0), "conv3": ("Conv", 30.0), "Reorder": ("ReorderInput", 99.0)}
    integer = {"conv1": ("QLinearConv", 1.0), "conv2": ("QLinearConv", 2.0), "sum": ("QLinearAdd", 3.0)}
    prices = priced(built, place(built, CPU), integer, floating, {})
    by_name = {task.name: (task.integer, task.floating) for task in prices.tasks}
    assert by_name == {"conv1": (1.0, 10.0), "conv2": (2.0, 20.0), "sum": (3.0, 0.0), "conv3": (0, 30.0)}


def test_a_unit_reads_and_makes_what_crosses_its_border(model: Model) -> None:
    built = model(TEXT)
    prices = priced(built, place(built, CPU), {}, {}, {"x": 256})
    by_name = {task.name: (task.reads, task.makes) for task in prices.tasks}
    assert by_name["conv1"] == (("x",), ("r",))  # the clamp is the unit's own
    assert by_name["sum"] == (("b", "r"), ("s",))
    assert prices.read_as_floats == {"c"}
    assert prices.edges.quantize["x"] == CONVERSION_US + 256 * QUANTIZE_NS / 1000


def test_elements_are_counted_from_a_run(model: Model) -> None:
    events = [Event("conv1", "Conv", 5, (), ((1, 4, 2, 3),)), Event("unknown", "Conv", 5, (), ((9,),))]
    assert count_elements(model(TEXT), {"x": np.zeros((2, 5))}, events) == {"x": 10, "a": 24}


def test_by_the_table_small_work_stays_float_and_large_does_not(model: Model) -> None:
    def kept(side: int, channels: int) -> set[str]:
        text = TEXT.replace("1, 4, 8, 8", f"1, {channels}, {side}, {side}")
        weights = np.ones((channels, channels, 3, 3), np.float32)
        built = model(text.replace("Conv(", "Conv <pads = [1, 1, 1, 1]> ("), kernel=weights)
        feed = {"x": np.ones((1, channels, side, side), np.float32)}
        return cheaper_in_float(built, place(built, CPU), KernelPrices(), feed, ONE_THREAD)

    assert kept(4, 4) == {"conv1", "conv2", "sum", "conv3"}
    assert kept(32, 64) == set()
