"""The run for second moments: which layers have one, from which samples."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import LayerInput, moments, second_moments
from qcompile.quant import Patches

MODEL = ir.from_onnx_text(
    '<ir_version: 10, opset_import: ["": 21]> g (float[N, 3] x) => (float[N, 3] root) { root = Sqrt(x) }'
)
ROOT, INPUT = LayerInput("root", Patches(), 3), LayerInput("x", Patches(), 3)


def feeds(count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"x": rng.uniform(1, 9, (5, 3)).astype(np.float32)} for _ in range(count)]


def test_moments_of_inputs_and_of_what_the_model_makes() -> None:
    data = feeds(4)
    found = second_moments(MODEL, {"a": ROOT, "b": INPUT, "c": ROOT}, data)
    rows = np.concatenate([feed["x"] for feed in data])
    np.testing.assert_allclose(found["b"].mean[0], rows.T @ rows / 20, rtol=1e-5)
    np.testing.assert_allclose(found["a"].mean[0], np.sqrt(rows).T @ np.sqrt(rows) / 20, rtol=1e-5)
    assert found["a"] is found["c"]


def test_samples_at_even_distances() -> None:
    seen: list[tuple[int, int | None]] = []
    data = feeds(2 * moments.SAMPLES + 1)
    found = second_moments(MODEL, {"a": INPUT}, data, progress=lambda phase, done, total: seen.append((done, total)))
    rows = np.concatenate([feed["x"] for feed in data[::3]])
    np.testing.assert_allclose(found["a"].mean[0], rows.T @ rows / len(rows), rtol=1e-5)
    assert seen == [(n + 1, len(data[::3])) for n in range(len(data[::3]))]


def test_a_value_that_is_never_there_has_no_moment() -> None:
    assert second_moments(MODEL, {"a": LayerInput("other", Patches(), 3)}, feeds(1)) == {}


def test_the_largest_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "MOMENT_BYTES", 2 * 36)
    large = LayerInput("x", Patches(), 10**6)
    found = second_moments(MODEL, {"large": large, "a": ROOT, "b": INPUT, "c": ROOT}, feeds(1))
    assert found.keys() == {"a", "b", "c"}


def test_squares_beyond_float32() -> None:
    with np.errstate(over="ignore"):
        assert second_moments(MODEL, {"a": INPUT}, [{"x": np.full((1, 3), 1e30, np.float32)}]) == {}
