"""Carried states: what a hand-written loop over the samples sees is what calibration sees."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate import carry, input_specs, observe, open_feeds, split_feeds, stateless_specs, synthetic_feeds
from qcompile.errors import CalibrationError
from qcompile.quant import UINT8, MinMaxObserver
from qcompile.runtime import Session

STEP = """<ir_version: 10, opset_import: ["": 21]>
    g (float[B,3] x, float[1,B,2] h, float[1,B,2] c) => (float[B,2] y, float[1,B,2] hn, float[1,B,2] cn) {
      s = Unsqueeze(x, zero)
      all, hn, cn = LSTM<hidden_size = 2>(s, w, r, b, , h, c)
      y = Squeeze(hn, zero)
    }"""
SEQUENCE = {"hn": "h", "cn": "c"}
Feed = dict[str, np.ndarray]


def step() -> ir.Model:
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 8, 3), "r": (1, 8, 2), "b": (1, 16)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights["zero"] = np.array([0])
    return ir.from_onnx_text(STEP, initializers=[ir.tensor(array, name=name) for name, array in weights.items()])


def samples(count: int = 20, batch: int = 2) -> list[Feed]:
    rng = np.random.default_rng(1)
    return [{"x": rng.normal(size=(batch, 3)).astype(np.float32)} for _ in range(count)]


def by_hand(session: Session, given: list[Feed], state: Feed) -> list[Feed]:
    """Every sample with its states, by a plain loop."""
    feeds = []
    for sample in given:
        feeds.append({**sample, **state})
        _, h, c = session.run(feeds[-1])
        state = {"h": h, "c": c}
    return feeds


def carried(data: Any, model: ir.Model) -> tuple[Any, Session]:
    specs, session = input_specs(model), Session(model)
    feeds = open_feeds(data, stateless_specs(model, specs, SEQUENCE))
    return carry(feeds, specs, SEQUENCE, session), session


ZEROS = {name: np.zeros((1, 2, 2), np.float32) for name in ("h", "c")}


def test_states_start_with_zeros_where_the_data_have_none() -> None:
    feeds, session = carried(samples(), step())
    np.testing.assert_equal(list(feeds), by_hand(session, samples(), ZEROS))


def test_the_first_states_are_those_of_the_data_and_later_ones_do_not_count() -> None:
    start = {name: np.full((1, 2, 2), 0.5, np.float32) for name in ("h", "c")}
    given = [{**sample, **start} for sample in samples()]
    feeds, session = carried(given, step())
    np.testing.assert_equal(list(feeds), by_hand(session, samples(), start))


def test_samples_are_read_in_any_order() -> None:
    feeds, session = carried(samples(), step())
    expected = by_hand(session, samples(), ZEROS)
    np.testing.assert_equal([feeds[9], feeds[-1], feeds[2]], [expected[9], expected[-1], expected[2]])
    np.testing.assert_equal(list(feeds[3:6]), expected[3:6])


def test_held_back_samples_have_the_states_of_all_samples_before_them() -> None:
    feeds, session = carried(samples(), step())
    _, held_back = split_feeds(feeds)
    expected = by_hand(session, samples(), ZEROS)
    np.testing.assert_equal(list(held_back), [expected[7], expected[15]])


def test_ranges_over_the_sequence_are_those_of_the_loop() -> None:
    model, names = step(), ["h", "cn", "y"]
    feeds, session = carried(samples(), model)
    seen = observe(model, names, feeds, MinMaxObserver).observers
    runs = [
        feed | dict(zip(session.outputs, session.run(feed), strict=True)) for feed in by_hand(session, samples(), ZEROS)
    ]
    for name in names:
        values = np.concatenate([run[name].ravel() for run in runs])
        assert seen[name].range(UINT8) == (min(0, values.min()), max(0, values.max()))


def test_synthetic_samples_are_carried_too() -> None:
    model = step()
    specs, session = input_specs(model), Session(model)
    made = synthetic_feeds(model, specs, 4, 0)
    feeds = carry(made, specs, SEQUENCE, session)
    start = {name: np.zeros((1, 1, 2), np.float32) for name in ("h", "c")}
    np.testing.assert_equal(list(feeds), by_hand(session, [{"x": feed["x"]} for feed in made], start))


def test_what_is_not_carried_is_still_wanted() -> None:
    with pytest.raises(CalibrationError, match="no array for input 'x'"):
        carried([{"h": ZEROS["h"]}], step())


def test_a_batch_that_changes_on_the_way_is_one_line() -> None:
    with pytest.raises(
        CalibrationError, match=r"^onnxruntime cannot run the model .* on calibration sample 1 with its"
    ):
        carried([*samples(1), *samples(2, batch=5)], step())


@pytest.mark.parametrize(
    ("sequence", "line"),
    [
        ({"no": "h"}, "no output 'no' in the model (it has 'y', 'hn', 'cn')"),
        ({"hn": "no"}, "no input 'no' in the model (it has 'x', 'h', 'c')"),
        ({"y": "h"}, "output 'y' cannot feed input 'h' ([B,2], the input is [1,B,2])"),
        ({"y": "x"}, "output 'y' cannot feed input 'x' ([B,2], the input is [B,3])"),
        ({"hn": "h", "cn": "h"}, "one input fed by two outputs in the sequence; name it once"),
    ],
)
def test_a_wrong_sequence_is_one_line(sequence: dict[str, str], line: str) -> None:
    model = step()
    with pytest.raises(CalibrationError, match=f"^{re.escape(line)}$"):
        stateless_specs(model, input_specs(model), sequence)


def test_types_must_agree() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[2] x, float[2] h) => (float[2] y, double[2] n) { y = Add(x, h) n = Cast<to = 11>(y) }"""
    )
    with pytest.raises(CalibrationError, match=r"^output 'n' cannot feed input 'h' \(float64, the input is float32\)$"):
        stateless_specs(model, input_specs(model), {"n": "h"})


def test_a_folder_of_samples_needs_no_states(tmp_path: Path) -> None:
    for number, sample in enumerate(samples(9)):
        np.savez(tmp_path / f"{number}.npz", x=sample["x"])
    feeds, session = carried(tmp_path, step())
    np.testing.assert_equal(list(feeds), by_hand(session, samples(9), ZEROS))
