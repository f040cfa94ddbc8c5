"""insert-observers and remove-observers: outputs come and go, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.observe.insert_observers import InsertObservers
from qcompile.passes.observe.remove_observers import RemoveObservers
from qcompile.pipeline import Context
from qcompile.runtime import run_as_written

CHAIN = """<ir_version: 10, opset_import: ["": 21]>
    g (float[2,4] x) => (float[2,4] y)
    <float[4,4] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}, float[2,4] t, float[2,4] odd, float[2,4] v> {
        [a] t = MatMul(x, w)
        [b] odd = Elu(t)
        [c] v = Relu(odd)
        [d] y = Neg(v)
    }"""
ODD = "u:0 /odd name"
"""No word that ONNX text could hold."""


@pytest.fixture
def model() -> ir.Model:
    model = ir.from_onnx_text(CHAIN)
    next(value for node in model.graph for value in node.outputs if value.name == "odd").name = ODD
    return model


def outputs(model: ir.Model) -> list[str | None]:
    return [value.name for value in model.graph.outputs]


def test_named_values_in_graph_order(model: ir.Model) -> None:
    names = ["v", ODD, "x", "y", "w"]  # inputs and weights need no observer, outputs have one
    assert InsertObservers(names).run(model, Context()).changes == 2
    assert outputs(model) == ["y", ODD, "v"]
    feed = {"x": np.arange(-4, 4, dtype=np.float32).reshape(2, 4)}
    y, u, v = run_as_written(model, feed)
    np.testing.assert_array_equal(y, -v)
    np.testing.assert_array_equal(v, np.maximum(u, 0))


def test_without_names_what_the_target_could_compute_on_integers(model: ir.Model) -> None:
    assert InsertObservers().run(model, Context()).changes == 3
    assert outputs(model) == ["y", "t", ODD, "v"]


@pytest.mark.parametrize("context", [Context(observed=["t"]), Context(observed=[])], ids=["one", "none"])
def test_names_from_the_context(model: ir.Model, context: Context) -> None:
    InsertObservers().run(model, context)
    assert outputs(model) == ["y", *(context.observed or [])]


def test_no_names_are_no_observers(model: ir.Model) -> None:
    assert InsertObservers([]).run(model, Context(observed=["t"])).changes == 0
    assert outputs(model) == ["y"]


@pytest.mark.parametrize("names", [None, ["v"], ["y", "t"], []])
def test_removing_is_the_inverse(model: ir.Model, names: list[str] | None) -> None:
    before = ir.to_onnx_text(model)
    inserted = InsertObservers(names).run(model, Context())
    assert RemoveObservers().run(model, Context()) == inserted
    assert ir.to_onnx_text(model) == before
    assert not any(value.metadata_props for node in model.graph for value in node.outputs)


def test_only_what_gets_a_scale_is_observed(quantize: Callable[..., Any]) -> None:
    nodes = "a = Conv(x, w) r = Relu(a) m = MaxPool<kernel_shape=[1,1]>(r) c = Conv(m, v) e = Elu(c) y = Softmax(e)"
    made = quantize("(float[1,4,6,6] x) => (float[1,8,6,6] y)", nodes, w=(8, 4, 1, 1), v=(8, 8, 1, 1))
    assert set(made.plan.values) == {"x", "r", "m", "c"}
    assert made.plan.values["m"] == made.plan.values["r"]  # only moved: nothing to observe
