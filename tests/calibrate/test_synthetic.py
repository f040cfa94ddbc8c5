"""Feeds made up from the model's inputs alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

from qcompile.calibrate.sources import InputSpec, open_feeds
from qcompile.calibrate.synthetic import synthetic_feeds
from qcompile.errors import CalibrationError

F32, I64, BOOL = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (("batch", 3, "h", "w"), (1, 3, 224, 224)),
        (("batch", "h", None, 3), (1, 224, 224, 3)),
        (("batch", None, None, None), (1, 3, 224, 224)),
        (("batch", "length"), (1, 16)),
        ((4, "length", 64), (4, 16, 64)),
        ((), ()),
    ],
)
def test_unknown_dimensions_get_usual_sizes(shape: tuple[int | str | None, ...], expected: tuple[int, ...]) -> None:
    (feed,) = synthetic_feeds([InputSpec("x", F32, shape)], 1, 0)
    assert feed["x"].shape == expected


def test_values_by_type_fit_the_model_and_repeat_with_the_seed() -> None:
    specs = [InputSpec("x", F32, (100, 100)), InputSpec("ids", I64, ("n", 100)), InputSpec("mask", BOOL, (3,))]
    feeds = synthetic_feeds(specs, 3, 7)
    np.testing.assert_equal(list(open_feeds(feeds, specs)), feeds)
    np.testing.assert_equal(synthetic_feeds(specs, 3, 7), feeds)
    assert not np.array_equal(feeds[0]["x"], feeds[1]["x"])
    assert not np.array_equal(feeds[0]["x"], synthetic_feeds(specs, 1, 8)[0]["x"])
    assert abs(float(feeds[0]["x"].std()) - 1) < 0.05
    assert set(feeds[0]["ids"].flat) == {0, 1}
    assert feeds[0]["mask"].all()


def test_a_given_shape_sets_the_symbols_that_other_inputs_share() -> None:
    specs = [InputSpec("mask", I64, ("batch", "length")), InputSpec("ids", I64, ("batch", "length"))]
    (feed,) = synthetic_feeds(specs, 1, 0, {"ids": (2, 40)})
    assert feed["mask"].shape == feed["ids"].shape == (2, 40)


SPECS = [InputSpec("x", F32, ("n", 3)), InputSpec("any", F32, None), InputSpec("text", np.dtype(object), (1,))]


@pytest.mark.parametrize(
    ("shapes", "line"),
    [
        ({"y": (1, 3)}, "no input 'y' in the model (it has 'x', 'any', 'text')"),
        ({"x": (1, 4)}, "wrong shape for input 'x' ([1,4], it is [n,3])"),
        ({}, "no shape of input 'any' in the model; give --input-shape any=1,3,224,224"),
        ({"any": (2,)}, "no synthetic values for input 'text' (object); give data"),
    ],
)
def test_what_cannot_be_made_up_is_one_line(shapes: dict[str, tuple[int, ...]], line: str) -> None:
    with pytest.raises(CalibrationError, match=f"^{re.escape(line)}$"):
        synthetic_feeds(SPECS, 1, 0, shapes)
