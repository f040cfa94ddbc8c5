"""Arguments that cannot be meant: one line each, before anything is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import qcompile
from qcompile.errors import CalibrationError, ModelError, QCompileError, RecipeError, TargetError

Feed = dict[str, np.ndarray]


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"max_samples": 0}, CalibrationError, r"^max_samples is 0 \("),
        ({"max_samples": -3}, CalibrationError, r"^max_samples is -3 \("),
        ({"max_samples": "3"}, CalibrationError, r"^max_samples is '3' \("),
        ({"seed": -1}, CalibrationError, r"^seed is -1 \("),
        ({"seed": None}, CalibrationError, r"^seed is None \("),
        ({"threads": 0}, TargetError, r"^threads is 0 \("),
        ({"threads": 1.5}, TargetError, r"^threads is 1.5 \("),
        ({"io_type": "int8"}, TargetError, r"^no io type 'int8'; use float or quantized$"),
        ({"format": "tflite"}, TargetError, r"^no format 'tflite' for target cpu \("),
        ({"format": None}, TargetError, r"^no format None for target cpu \("),
        ({"bits": 4}, TargetError, r"^no 4-bit weights yet; use bits=8$"),
        ({"exclude": "third"}, RecipeError, r"^--exclude 'third' matches no node name and no op type"),
        ({"exclude": [3]}, RecipeError, r"^exclude is \[3\] \("),
        ({"exclude": 3}, RecipeError, r"^exclude is 3 \("),
        ({"input_shapes": {"x": (1, 4, 8, 8)}}, CalibrationError, r"^input_shapes beside calib \(.*\); drop one$"),
    ],
)
def test_one_line(
    asked: dict[str, Any], kind: type[QCompileError], said: str, conv_net: onnx.ModelProto, conv_feeds: list[Feed]
) -> None:
    with pytest.raises(kind, match=said) as caught:
        qcompile.compile(conv_net, calib=conv_feeds, **asked)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_none() -> None:
    with pytest.raises(ModelError, match=r"^no model in a int \("):
        qcompile.compile(5)  # type: ignore[arg-type]


def test_one_expression_need_not_be_listed(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, exclude="^second$", format="qoperator")
    assert [name for name, _ in result.stayed_float] == ["second"]


def test_numbers_of_numpy_are_numbers(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    assert qcompile.compile(conv_net, calib=conv_feeds, max_samples=np.int64(4), format="qoperator").samples == 4  # type: ignore[arg-type]
