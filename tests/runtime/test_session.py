"""Sessions take a model in every form, and whatever the runtime refuses comes back as one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.ir import graphs, load_model, to_proto
from qcompile.runtime import Runnable, Session, profile, run_as_written
from qcompile.runtime import loadable as loadable_module

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)
FEED = {"x": np.ones((2, 4), np.float32)}


@pytest.fixture
def model() -> ir.Model:
    return ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,3] y, float[N,3] z) '
        "<float[4,3] w> { [product] y = MatMul(x, w) [negative] z = Neg(y) }",
        initializers=[ir.tensor(WEIGHT, name="w")],
    )


def saved(model: ir.Model, folder: Path) -> Path:
    path = folder / "model.onnx"
    ir.save(model, path, external_data="weights.bin", size_threshold_bytes=0)
    return path


FORMS: dict[str, Callable[[ir.Model, Path], Runnable]] = {
    "model": lambda model, _: model,
    "proto": lambda model, _: to_proto(model),
    "bytes": lambda model, _: to_proto(model).SerializeToString(),
    "path": saved,
    "external weights": lambda model, folder: load_model(saved(model, folder)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form(model: ir.Model, tmp_path: Path, form: str) -> None:
    session = Session(FORMS[form](model, tmp_path))
    assert (session.inputs, session.outputs) == (["x"], ["y", "z"])
    y, z = session.run(FEED)
    np.testing.assert_array_equal(y, FEED["x"] @ WEIGHT)
    np.testing.assert_array_equal(z, -y)


@pytest.mark.parametrize("form", ["model", "external weights"])
@pytest.mark.parametrize("optimize", [True, False])
def test_large_weights_stay_where_they_are(
    form: str, optimize: bool, model: ir.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loadable_module, "_BESIDE", WEIGHT.nbytes)
    given = FORMS[form](model, tmp_path)
    source = loadable_module.loadable(given)
    assert isinstance(source.graph, bytes)
    assert WEIGHT.tobytes() not in source.graph
    assert (source.folder == tmp_path) == (form == "external weights") == ("w" not in source.weights)
    np.testing.assert_array_equal(Session(given, optimize=optimize).run(FEED)[0], FEED["x"] @ WEIGHT)


def test_weights_of_bodies_in_another_file(tmp_path: Path) -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x, bool c) => (float[N,3] y) {
          y = If (c) <
            then_branch = a () => (float[N,3] u)
              <float[4,3] w = {0,1,2,3,4,5,6,7,8,9,10,11}> { u = MatMul(x, w) },
            else_branch = b () => (float[N,3] v)
              <float[4,3] m = {0,1,2,3,4,5,6,7,8,9,10,11}> { n = MatMul(x, m)  v = Neg(n) }
          >
        }"""
    )
    loaded = load_model(saved(model, tmp_path))
    assert all(isinstance(v.const_value, ir.ExternalTensor) for g in graphs(loaded) for v in g.initializers.values())
    for taken, sign in ((True, 1), (False, -1)):
        (y,) = Session(loaded).run({**FEED, "c": np.array(taken)})
        np.testing.assert_array_equal(y, sign * (FEED["x"] @ WEIGHT))


@pytest.mark.parametrize(
    "feed", [{}, {"x": np.ones((2, 5), np.float32)}, {"x": np.ones((2, 4))}, {"x": FEED["x"], "u": FEED["x"]}]
)
def test_a_feed_that_does_not_fit(model: ir.Model, feed: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError, match="onnxruntime cannot run the model") as raised:
        Session(model).run(feed)
    assert "\n" not in str(raised.value)
    assert "ONNXRuntimeError" not in str(raised.value)


def test_what_is_no_model() -> None:
    with pytest.raises(ModelError, match="onnxruntime refuses the model") as raised:
        Session(b"not a model")
    assert "\n" not in str(raised.value)


def test_as_written_keeps_every_node(model: ir.Model) -> None:
    np.testing.assert_array_equal(run_as_written(model, FEED)[0], FEED["x"] @ WEIGHT)
    events = profile(model, FEED)
    assert [(e.name, e.op_type, e.inputs, e.outputs) for e in events] == [
        ("product", "MatMul", ((2, 4), (4, 3)), ((2, 3),)),
        ("negative", "Neg", ((2, 3),), ((2, 3),)),
    ]
