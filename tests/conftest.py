"""What the tests share: models from text, runs in onnxruntime, and the check of a rewrite."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from qcompile.ir import remove_dead, to_proto
from qcompile.pipeline import Context, Pass, PassResult

Feed = Mapping[str, np.ndarray]
CheckRewrite = Callable[..., PassResult]


def parse(text: str, **initializers: np.ndarray) -> ir.Model:
    """A model from ONNX text; arrays given by name become its initializers."""
    tensors = [ir.tensor(array, name=name) for name, array in initializers.items()]
    return ir.from_onnx_text(text, initializers=tensors)


def run(model: ir.Model, feed: Feed) -> list[np.ndarray]:
    """Outputs in onnxruntime with nothing optimised."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        to_proto(model.clone()).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feed)))


def random_feed(model: ir.Model, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal values for every float input; symbolic dimensions become 2."""
    rng = np.random.default_rng(seed)
    feed = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.dtype is not None and value.name is not None
        shape = [d if isinstance(d, int) else 2 for d in value.shape]
        feed[value.name] = rng.normal(size=shape).astype(value.dtype.numpy())
    return feed


def text(model: ir.Model) -> str:
    """The graph as text, weights by name and type only, so that structures compare."""
    remove_dead(model)
    return ir.to_onnx_text(model, exclude_initializers=True)


@pytest.fixture
def check_rewrite() -> CheckRewrite:
    """`check(step, before, after, feed=None, tolerance=1e-5, **arrays)`: text in, text out, and equal numbers.

    `before` is ONNX text, `arrays` its initializers by name. `after` is the expected text (None: unchanged), in which
    initializers are given as value declarations without data. Both models must give the same outputs in onnxruntime.
    """

    def check(
        step: Pass,
        before: str,
        after: str | None,
        *,
        feed: Feed | None = None,
        tolerance: float = 1e-5,
        context: Context | None = None,
        **arrays: np.ndarray,
    ) -> PassResult:
        model = parse(before, **arrays)
        unchanged = text(model.clone())
        feed = feed or random_feed(model)
        expected = run(model, feed)
        result = step.run(model, context or Context())
        got = run(model, feed)
        for old, new in zip(expected, got, strict=True):
            assert old.dtype == new.dtype
            np.testing.assert_allclose(new, old, rtol=tolerance, atol=tolerance)
        lines = [line.strip() for line in text(model).splitlines() if line.strip()]
        wanted = unchanged if after is None else text(parse(after))
        assert _graph_lines(lines) == _graph_lines([line.strip() for line in wanted.splitlines() if line.strip()])
        assert bool(result.changes) == (after is not None)
        return result

    return check


def _graph_lines(lines: list[str]) -> list[str]:
    """Interface and nodes; header and declarations of intermediates aside."""
    return [line for line in lines if "=>" in line or " = " in line and "(" in line]
