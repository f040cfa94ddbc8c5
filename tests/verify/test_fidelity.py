"""Two models compared over feeds, and results that are not finite."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.runtime import Session
from qcompile.verify import check_finite, compare

FEEDS = [{"x": np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32)} for seed in range(3)]


def session(expression: str) -> Session:
    nodes = f"<float half = {{0.5}}, float tiny = {{1e-3}}, float none = {{0}}> {{ y = Identity(x) z = {expression} }}"
    text = f'<ir_version: 10, opset_import: ["": 21]> g (float[4,8] x) => (float[4,8] y, float[4,8] z) {nodes}'
    return Session(ir.from_onnx_text(text))


def test_equal_outputs_and_noisy_ones() -> None:
    y, z = compare(session("Mul(x, half)"), session("Add(x, none)"), FEEDS)
    assert (y.name, z.name) == ("y", "z")
    assert y.sqnr_db == float("inf")
    assert z.sqnr_db == pytest.approx(0, abs=1e-5)  # the noise x/2 is as large as the signal x/2
    assert z.cosine == pytest.approx(1)
    assert z.max_abs == pytest.approx(max(np.abs(feed["x"]).max() for feed in FEEDS) / 2)
    check_finite((y, z))


def test_progress_counts_feeds() -> None:
    seen: list[tuple[str, int, int | None]] = []
    compare(session("Neg(x)"), session("Neg(x)"), FEEDS, lambda *step: seen.append(step))
    assert seen == [("compare", 1, 3), ("compare", 2, 3), ("compare", 3, 3)]


@pytest.mark.parametrize("expression", ["Log(x)", "Div(x, none)"], ids=["NaN", "infinite"])
def test_a_result_that_is_not_finite(expression: str) -> None:
    with pytest.raises(ModelError, match="output 'z' of the result is not finite"):
        check_finite(compare(session("Mul(x, half)"), session(expression), FEEDS))


def test_infinities_of_the_float_model_itself() -> None:
    check_finite(compare(session("Div(x, none)"), session("Div(x, none)"), FEEDS))
