"""More than 8 bits go to products that only floats read, in the way that the target's table has for their shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import make_plan, place
from qcompile.decide.output_precision import precise_outputs
from qcompile.plan import Code, Form, Plan
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
CPU = find_target("cpu")
INTERFACE = "g (float[1,4,8,8] x) => (float[1,N,H,W] y)"


def plans(model: ir.Model, io_type: str = "float", format_: str = "qoperator") -> tuple[Plan, Plan | None]:
    """The plan by min-max and the more precise one."""
    placement = place(model, CPU)
    plan = make_plan(placement, dict.fromkeys(placement.observed, (-1.0, 1.0)), CPU, format_)
    plan = replace(plan, io_type=io_type)
    return plan, precise_outputs(placement, plan)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_a_pointwise_convolution_gives_floats(model: Model) -> None:
    head = model(f"{INTERFACE} {{ [conv] t = Conv(x, kernel) [clamp] r = Relu(t) [tail] y = Elu(r) }}")
    plan, precise = plans(head)
    assert precise is not None
    assert plan.nodes["conv"].form is plan.nodes["clamp"].form is Form.INTEGER
    assert precise.nodes["conv"].form is Form.INTEGER_TO_FLOAT
    reason = precise.nodes["clamp"].reason
    assert reason is not None
    assert reason.code is Code.NOT_BETWEEN_INTEGERS
    assert plan.values.keys() - precise.values.keys() == {"r"}
    assert precise.segments == {}


@pytest.mark.parametrize(("channels", "segments"), [(1, 16), (2, 8), (3, 8), (4, 4), (9, 4), (12, 4)])
def test_few_channels_come_in_segments(channels: int, segments: int, model: Model) -> None:
    """At least four; more where the kernel takes 16 channels or more at once anyway."""
    plan, precise = plans(model(f"{INTERFACE} {{ [conv] y = Conv(x, w) }}", w=ones(channels, 4, 3, 3)))
    assert precise is not None
    assert precise.segments == {"conv": segments}
    assert precise.nodes == plan.nodes
    assert precise.values == plan.values


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ("[conv] y = Conv(x, w)", (13, 4, 3, 3)),
        ("[conv] y = Conv<group=2>(x, w)", (4, 2, 3, 3)),
        ("[conv] t = Conv(x, w) [last] y = Conv(t, many)", (4, 4, 3, 3)),
    ],
    ids=["many channels", "groups", "an integer node reads it"],
)
def test_what_stays_as_it_is(nodes: str, shape: tuple[int, ...], model: Model) -> None:
    _, precise = plans(model(f"{INTERFACE} {{ {nodes} }}", w=ones(*shape), many=ones(16, 4, 3, 3)))
    assert precise is None


@pytest.mark.parametrize(("io_type", "format_"), [("quantized", "qoperator"), ("float", "qdq")])
def test_where_nobody_could_use_it(io_type: str, format_: str, model: Model) -> None:
    _, precise = plans(model(f"{INTERFACE} {{ [conv] y = Conv(x, kernel) }}"), io_type, format_)
    assert precise is None


def test_a_second_time_finds_nothing(model: Model) -> None:
    head = model(
        f"{INTERFACE} {{ [conv] t = Conv(x, w) [deep] u = Conv(x, kernel) y = Elu(t) z = Elu(u) }}", w=ones(3, 4, 3, 3)
    )
    _, precise = plans(head)
    assert precise is not None
    assert precise_outputs(place(head, CPU), precise) is None
