"""Which integer nodes are offered back to float: those whose input fits 8 bits worst, first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, Placement, make_plan, place, relaxations
from qcompile.plan import Code, Plan
from qcompile.quant import MinMaxObserver, Observer
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = "g (float[1, 4, 8, 8] x0) => (float[1, 4, 8, 8] y) {{ {0} y = Elu(x{1}) }}"


def chain(count: int) -> str:
    """Convolutions conv0, conv1, ... on x0, x1, ..."""
    return TEXT.format(" ".join(f"[conv{i}] x{i + 1} = Conv(x{i}, kernel)" for i in range(count)), count)


def decided(model: ir.Model, outliers: list[float], observer: type[Observer]) -> tuple[Placement, Plan, Observations]:
    """A plan for normal values of which the largest in x0, x1, ... is this large."""
    rng, placement = np.random.default_rng(0), place(model, CPU)
    seen: dict[str, Observer] = {}
    for number, outlier in enumerate(outliers):
        values = rng.normal(size=1000).clip(-3, 3).astype(np.float32)
        seen[f"x{number}"] = observer().observe(np.append(values, np.float32(outlier)))
    top = {f"x{number}": (-3.0, outlier) for number, outlier in enumerate(outliers)}
    return placement, make_plan(placement, top, CPU, "qoperator"), Observations(seen, {})


def offered(model: ir.Model, outliers: list[float], observer: type[Observer] = AUTOMATIC) -> list[list[str]]:
    return [list(kept) for kept in relaxations(*decided(model, outliers, observer))]


def test_worst_first_one_two_and_four_together(model: Model) -> None:
    outliers = [4.0, 100.0, 5.0, 1000.0, 6.0, 50.0, 3.0]  # the last is the output of the last convolution
    assert offered(model(chain(6)), outliers) == [
        ["conv3"],
        ["conv3", "conv1"],
        ["conv3", "conv1", "conv5", "conv4"],
    ]


def test_never_all_of_them(model: Model) -> None:
    assert offered(model(chain(2)), [9.0, 3.0, 3.0]) == [["conv0"]]
    assert offered(model(chain(1)), [9.0, 3.0]) == []


def test_the_reason_says_how_bad_it_is(model: Model) -> None:
    (kept,) = relaxations(*decided(model(chain(2)), [1000.0, 3.0, 3.0], AUTOMATIC))
    assert {name: reason.code for name, reason in kept.items()} == {"conv0": Code.KEPT_FOR_ACCURACY}
    assert kept["conv0"].detail == "its input in 8 bits has 5 dB"


def test_minimum_and_maximum_alone_do_not_tell(model: Model) -> None:
    assert offered(model(chain(3)), [9.0, 3.0, 3.0, 3.0], MinMaxObserver) == []


def test_values_without_elements_do_not_tell(model: Model) -> None:
    placement, plan, seen = decided(model(chain(3)), [9.0, 5.0, 4.0, 3.0], AUTOMATIC)
    seen.observers["x0"] = AUTOMATIC()
    assert [list(kept) for kept in relaxations(placement, plan, seen)] == [["conv1"]]


def test_what_was_moved_is_as_good_as_where_it_came_from(model: Model) -> None:
    text = """g (float[1, 4, 8, 8] x0) => (float[1, 4, 8, 8] y) {
        [conv0] x1 = Conv(x0, kernel) [pool] p = MaxPool <kernel_shape = [1, 1]> (x1) [conv1] x2 = Conv(p, kernel)
        [conv2] x3 = Conv(x2, kernel) y = Elu(x3) }"""
    assert offered(model(text), [3.0, 100.0, 5.0, 3.0]) == [["conv1"], ["conv1", "conv2"]]
