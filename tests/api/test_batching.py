"""One sample, several times in one run: what grows, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from qcompile.api.batching import tiled
from qcompile.calibrate import InputSpec
from qcompile.errors import ModelError

FLOAT = np.dtype(np.float32)
Shape = tuple[int | str | None, ...] | None


@pytest.mark.parametrize(
    ("shapes", "grown"),
    [
        ([("N", 3)], [(4, 3)]),
        ([(None, 3)], [(4, 3)]),
        ([("N", 3), (2, "N", 3), ("N",)], [(4, 3), (2, 4, 3), (4,)]),  # a state has the batch behind its directions
        ([("N", 3), ("M", 3), (5,), ()], [(4, 3), (2, 3), (5,), ()]),
        ([(1, 3), (None, 3), (None,)], [(1, 3), (4, 3), (4,)]),
    ],
)
def test_what_has_the_batch_axis_grows(shapes: list[Shape], grown: list[tuple[int, ...]]) -> None:
    specs = [InputSpec(f"x{number}", FLOAT, shape) for number, shape in enumerate(shapes)]
    feed = {spec.name: np.ones([d if isinstance(d, int) else 2 for d in spec.shape or ()], FLOAT) for spec in specs}
    assert [array.shape for array in tiled(feed, specs, 2).values()] == grown
    assert tiled(feed, specs, 1) is feed


def test_copies_follow_each_other() -> None:
    feed = {"x": np.arange(4).reshape(2, 2)}
    two = tiled(feed, [InputSpec("x", feed["x"].dtype, ("N", 2))], 2)
    assert two["x"].tolist() == [[0, 1], [2, 3], [0, 1], [2, 3]]


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec("x", FLOAT, (1, 3)),
        InputSpec("x", FLOAT, None),
        InputSpec("x", FLOAT, ()),
        InputSpec("x", FLOAT, ("N",), sequence=True),
    ],
)
def test_without_an_axis_there_is_one_line(spec: InputSpec) -> None:
    feed = {"x": [np.ones(3, FLOAT)] if spec.sequence else np.ones((1, 3), FLOAT)}
    with pytest.raises(ModelError, match=r"^no open batch axis to put 8 samples on \(batch 8\); use batch 1$"):
        tiled(feed, [spec], 8)
