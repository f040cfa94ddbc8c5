"""Two models compared over feeds, and results that are not finite."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.runtime import Feed, Session
from qcompile.verify import Reference, check_finite, compare
from qcompile.verify import fidelity as fidelity_module

FEEDS = [{"x": np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32)} for seed in range(3)]


def model(expression: str) -> ir.Model:
    nodes = f"<float half = {{0.5}}, float tiny = {{1e-3}}, float none = {{0}}> {{ y = Identity(x) z = {expression} }}"
    text = f'<ir_version: 10, opset_import: ["": 21]> g (float[4,8] x) => (float[4,8] y, float[4,8] z) {nodes}'
    return ir.from_onnx_text(text)


def session(expression: str) -> Session:
    return Session(model(expression))


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


# References that are kept.


class Counting(Session):
    """Counts the feeds that it ran."""

    runs = 0

    def run(self, feed: Feed) -> list[np.ndarray]:
        self.runs += 1
        return super().run(feed)


@pytest.mark.parametrize(
    ("cache", "runs"), [(2**20, 3), (2 * 4 * 8 * 4, 5), (0, 6)], ids=["all fit", "one feed fits", "none fits"]
)
def test_the_cache_of_the_reference_is_bounded_and_changes_nothing(
    cache: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two candidates: what is kept of the first comparison is not computed again in the second."""
    monkeypatch.setattr(fidelity_module, "REFERENCE_CACHE", cache)
    counting = Counting(model("Mul(x, half)"))
    reference = Reference(counting, FEEDS)
    for expression in ("Add(x, none)", "Mul(x, tiny)"):
        assert reference.compare(session(expression)) == compare(session("Mul(x, half)"), session(expression), FEEDS)
    assert counting.runs == runs
