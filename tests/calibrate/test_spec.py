"""What a model wants of a feed, and the one line for each way in which a feed is not that."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate.sources.spec import InputSpec, check, fit, input_specs
from qcompile.errors import CalibrationError, ModelError

F32, I64 = np.dtype(np.float32), np.dtype(np.int64)
IMAGE = InputSpec("image", F32, ("batch", 3, None, 32))
IDS = InputSpec("ids", I64, (1, "length"))


def test_inputs_are_listed_in_order_without_the_weights_among_them() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 3, opset_import: ["" : 17]>
        main (float[batch,3,?,32] image, float[4] weight, int64 sr, float any) => (float any_out)
        { any_out = Identity(any) }""",
        initializers=[ir.tensor(np.ones(4, np.float32), name="weight")],
    )
    model.graph.inputs[0].shape = ir.Shape(["batch", 3, None, 32])
    model.graph.inputs[-1].shape = None
    assert input_specs(model) == [IMAGE, InputSpec("sr", I64, ()), InputSpec("any", F32, None)]


def test_sequences_and_optionals_have_the_type_and_shape_of_their_elements() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 8, opset_import: ["" : 17]>
        main (seq(float[2]) parts, optional(float[N,3]) hint, optional(seq(int64[1])) both, string[M] words)
          => (int64 n) { n = SequenceLength(parts) }"""
    )
    assert input_specs(model) == [
        InputSpec("parts", F32, (2,), sequence=True),
        InputSpec("hint", F32, ("N", 3), optional=True),
        InputSpec("both", I64, (1,), sequence=True, optional=True),
        InputSpec("words", np.dtype(object), ("M",)),
    ]


def test_an_input_that_is_no_tensor_is_named() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 8, opset_import: ["" : 17]>
        main (seq(float[2]) parts) => (int64 n) { n = SequenceLength(parts) }"""
    )
    model.graph.inputs[0].type = ir.SparseTensorType(ir.DataType.FLOAT)
    with pytest.raises(
        ModelError, match=r"^unusable input 'parts' \(not a tensor: .*\); export the model with tensors$"
    ):
        input_specs(model)


PARTS = InputSpec("parts", F32, (None, 2), sequence=True)
HINT = InputSpec("hint", F32, (2,), optional=True)


def test_sequences_are_lists_and_what_is_optional_may_be_absent() -> None:
    feed = fit([PARTS, HINT], {"parts": [np.ones((1, 2)), np.ones((3, 2), np.float32)], "hint": None}, "sample 3")
    assert [(array.dtype, array.shape) for array in feed["parts"]] == [(F32, (1, 2)), (F32, (3, 2))]
    assert feed["hint"] is None
    assert fit([PARTS, HINT], {"parts": []}, "sample 3") == {"parts": []}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hint": None}, "no array for input 'parts' in s"),
        ({"parts": None}, "no array for input 'parts' in s"),
        ({"parts": np.ones((3, 2))}, "wrong form of 'parts' in s (one array, the model wants a list of arrays)"),
        (
            {"parts": [], "hint": [np.ones(2)]},
            "wrong form of 'hint' in s (a list of arrays, the model wants one array)",
        ),
        ({"parts": [np.ones((3, 2)), np.ones(2)]}, "wrong shape of 'parts' in s ([2], the model wants [?,2])"),
        ({"parts": [np.ones((3, 2), np.int64)]}, "wrong type of 'parts' in s (int64, the model wants float32)"),
    ],
)
def test_other_forms_that_do_not_fit(given: dict[str, Any], said: str) -> None:
    with pytest.raises(CalibrationError) as raised:
        check([PARTS, HINT], given, "s")
    assert str(raised.value).startswith(said)


def test_a_feed_comes_out_in_the_models_order_and_types() -> None:
    given: dict[str, np.ndarray] = {"ids": np.zeros((1, 5), np.int32), "image": np.ones((7, 3, 9, 32), np.float64)}
    feed = fit([IMAGE, IDS], given, "f.npz")
    assert list(feed) == ["image", "ids"]
    assert [array.dtype for array in feed.values()] == [F32, I64]
    np.testing.assert_array_equal(feed["image"], given["image"])


def test_a_scalar_stays_a_scalar_and_a_view_becomes_contiguous() -> None:
    specs = [InputSpec("sr", I64, ()), InputSpec("x", F32, (2, 3))]
    feed = fit(specs, {"sr": np.array(16000), "x": np.ones((3, 2), np.float32).T}, "f.npz")
    assert feed["sr"].shape == ()
    assert feed["x"].flags.c_contiguous


def test_values_beyond_float32_become_infinities_for_the_observer_to_report() -> None:
    feed = fit([InputSpec("x", F32, None)], {"x": np.array([1e300])}, "f.npz")
    assert np.isinf(feed["x"]).all()


GOOD: dict[str, np.ndarray] = {"image": np.zeros((1, 3, 8, 32), np.float32), "ids": np.zeros((1, 4), np.int64)}
MISFITS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "missing": (
        {"image": GOOD["image"], "Ids": GOOD["ids"]},
        "no array for input 'ids' in f (it holds 'image', 'Ids')",
    ),
    "empty": ({}, "no array for input 'image' in f (it holds nothing)"),
    "unknown": (GOOD | {"label": GOOD["ids"]}, "unknown array 'label' in f (the model's inputs: 'image', 'ids')"),
    "rank": (
        GOOD | {"image": np.zeros((3, 8, 32), np.float32)},
        "wrong shape of 'image' in f ([3,8,32], the model wants [batch,3,?,32])",
    ),
    "fixed dimension": (
        GOOD | {"image": np.zeros((1, 8, 32, 3), np.float32)},
        "wrong shape of 'image' in f ([1,8,32,3], the model wants [batch,3,?,32])",
    ),
    "batch declared one": (
        GOOD | {"ids": np.zeros((2, 4), np.int64)},
        "wrong shape of 'ids' in f ([2,4], the model wants [1,length])",
    ),
    "raw pixels": (
        GOOD | {"image": np.zeros((1, 3, 8, 32), np.uint8)},
        "wrong type of 'image' in f (uint8, the model wants float32); convert it as the model was trained",
    ),
    "loss": (GOOD | {"ids": np.zeros((1, 4))}, "wrong type of 'ids' in f (float64, the model wants int64)"),
    "text": (GOOD | {"ids": np.array([["a"]])}, "wrong type of 'ids' in f (<U1, the model wants int64)"),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_misfit_is_one_line(misfit: str) -> None:
    arrays, line = MISFITS[misfit]
    with pytest.raises(CalibrationError, match=f"^{re.escape(line)}$"):
        check([IMAGE, IDS], arrays, "f")
