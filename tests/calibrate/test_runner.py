"""The calibration run: what is seen, what is refused, and memory that does not grow."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import input_specs, observe, open_feeds, split_feeds
from qcompile.calibrate.runner import SAMPLE, thinned
from qcompile.errors import CalibrationError, ModelError
from qcompile.quant import OBSERVERS, MinMaxObserver, MseObserver, Observer, Scheme

Feed = dict[str, np.ndarray]
UINT8 = Scheme("uint8")

LOG = ir.from_onnx_text(
    '<ir_version: 10, opset_import: ["": 21]> g (float[N, C] x) => (float[N, C] root, float[N, C] log) '
    "{ root = Sqrt(x) log = Log(root) }"
)


def feed(*rows: list[float]) -> Feed:
    return {"x": np.array(rows, np.float32)}


class Samples:
    """So many feeds, each made when it is asked for and then forgotten."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Feed]:
        rng = np.random.default_rng(0)
        return ({"x": rng.random((4, 2 * SAMPLE), np.float32) + 1} for _ in range(self.count))

    def __contains__(self, one: object) -> bool:
        return False


# What is seen.


def test_inputs_and_inner_values_are_observed() -> None:
    seen = observe(LOG, ["x", "root"], [feed([1, 4]), feed([9, 16], [25, 4])], MinMaxObserver)
    assert {name: (o.low, o.high) for name, o in seen.observers.items()} == {"x": (1, 25), "root": (1, 5)}  # type: ignore[attr-defined]
    assert seen.means == {}


def test_means_are_per_channel_over_all_samples() -> None:
    """Each value counts once, whatever the batch it came in."""
    seen = observe(LOG, [], [feed([1, 4]), feed([9, 16], [25, 4])], MinMaxObserver, {"root": 1, "x": -1})
    assert seen.observers == {}
    np.testing.assert_allclose(seen.means["root"].mean, [3, 8 / 3])
    np.testing.assert_allclose(seen.means["x"].mean, [35 / 3, 8])


@pytest.mark.parametrize("observer", OBSERVERS.values())
def test_the_order_of_the_samples_does_not_matter(observer: type[Observer]) -> None:
    feeds = [*Samples(3)]
    there, back = (observe(LOG, ["log"], order, observer).observers["log"] for order in (feeds, feeds[::-1]))
    assert there.range(UINT8) == back.range(UINT8)


def test_progress_counts_the_samples() -> None:
    told: list[tuple[str, int, int | None]] = []
    observe(LOG, ["x"], [feed([1, 1])] * 3, MinMaxObserver, progress=lambda *step: told.append(step))
    assert told == [("calibrate", 1, 3), ("calibrate", 2, 3), ("calibrate", 3, 3)]


# What is refused.


@pytest.mark.parametrize("observer", OBSERVERS.values())
@pytest.mark.parametrize(
    ("bad", "tensor", "what"),
    [(-1.0, "root", "NaN"), (0.0, "log", "infinit")],
)
def test_values_that_are_no_numbers(bad: float, tensor: str, what: str, observer: type[Observer]) -> None:
    names = ["x", "root", "log"]
    feeds = [feed([1, 2]), feed([3, 4]), feed([5, bad])]
    with pytest.raises(CalibrationError) as caught:
        observe(LOG, names, feeds, observer)
    line = str(caught.value)
    assert re.search(rf"{what}.* in tensor '{tensor}' on sample 2 \(the float model itself makes it\)", line)
    assert "\n" not in line


@pytest.mark.parametrize("names", [["x", "root"], ["root"]])
def test_data_that_are_no_numbers(names: list[str], tmp_path: Path) -> None:
    """The model is not blamed for what it was given."""
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", x=np.full((1, 2), np.nan if number == 2 else 1, np.float32))
    feeds, _ = split_feeds(open_feeds(tmp_path, input_specs(LOG)))
    with pytest.raises(CalibrationError, match=r"^.*values are NaN in input 'x' of .*2\.npz; leave that sample out$"):
        observe(LOG, names, feeds, MinMaxObserver)


def test_data_that_are_infinite() -> None:
    with pytest.raises(
        CalibrationError, match=r"^1 of 2 values are infinite in input 'x' of sample 1; leave that sample out$"
    ):
        observe(LOG, ["x"], [feed([1, 2]), feed([1, np.inf])], MinMaxObserver)


def test_the_sample_is_named_as_in_the_data(tmp_path: Path) -> None:
    """Not as counted among those that are left after some were held back, or left out."""
    for number in range(20):
        np.savez(tmp_path / f"{number:02}.npz", x=np.full((1, 2), -1.0 if number == 16 else 1.0, np.float32))
    calibration, _ = split_feeds(open_feeds(tmp_path, input_specs(LOG), max_samples=10))
    with pytest.raises(CalibrationError, match=r"NaN in tensor 'root' on .*16\.npz \("):
        observe(LOG, ["root"], calibration, MinMaxObserver)
    listed, _ = split_feeds([feed([1, 1])] * 8 + [feed([1, -1])])
    with pytest.raises(CalibrationError, match=r"NaN in tensor 'root' on sample 8 \("):
        observe(LOG, ["root"], listed, MinMaxObserver)


def test_one_bad_value_among_many() -> None:
    """Large tensors are thinned, but what is no number is not lost by it."""
    x = np.ones((1, 3 * SAMPLE), np.float32)
    x[0, SAMPLE + 1] = np.nan
    with pytest.raises(CalibrationError, match=r"NaN.* in input 'x' of sample 0;"):
        observe(LOG, ["x"], [{"x": x}], MseObserver)


def test_a_feed_that_the_runtime_refuses() -> None:
    with pytest.raises(ModelError, match=r"^onnxruntime cannot run the model \(") as caught:
        observe(LOG, ["x"], [{"x": np.ones(3, np.float32)}], MinMaxObserver)
    assert "\n" not in str(caught.value)


# What it costs.


@pytest.mark.parametrize("observer", OBSERVERS.values())
def test_memory_does_not_grow_with_the_samples(observer: type[Observer]) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        observe(LOG, ["x", "root", "log"], Samples(count), observer, {"x": 1})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)  # what is imported and cached on first use
    one_feed = 4 * 4 * 2 * SAMPLE
    assert peak(64) < peak(8) + one_feed // 4


@pytest.mark.parametrize("size", [0, 1, SAMPLE, SAMPLE + 1, 5 * SAMPLE + 3])
def test_thinned_is_small_and_keeps_the_extremes(size: int) -> None:
    array = np.random.default_rng(size).permutation(size).astype(np.float32)
    kept = thinned(array, SAMPLE)
    assert kept.size <= SAMPLE + 2
    assert set(kept.tolist()) <= set(array.tolist())
    if size <= SAMPLE:
        np.testing.assert_array_equal(kept, array)
    else:
        assert (kept.min(), kept.max()) == (0, size - 1)


def test_thinned_does_not_keep_to_one_column() -> None:
    """Every column of an image whose width is even is seen."""
    columns = np.tile(np.arange(64, dtype=np.float32), 4 * SAMPLE // 64)
    assert set(thinned(columns[:, None], SAMPLE).tolist()) == set(range(64))
