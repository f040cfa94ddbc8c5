"""normalize-slices: one spelling for each slice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import constant
from qcompile.passes.canonicalize.normalize_slices import TO_THE_END, NormalizeSlices
from qcompile.pipeline import Context, PassResult

CheckNodes = Callable[..., PassResult]

INT32_MAX, INT64_MIN = 2**31 - 1, -(2**63)


def written(shape: str, bounds: str) -> list[list[int]]:
    """Starts, ends, axes and steps of a Slice afterwards."""
    constants = ", ".join(
        f"int64[{len(b.split(','))}] c{i} = {{{b}}}" for i, b in enumerate(bounds.split(" ")) if b != "-"
    )
    inputs = ", ".join("" if b == "-" else f"c{i}" for i, b in enumerate(bounds.split(" ")))
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g (float[{shape}] x) => (float[{"A," * shape.count(",")}B] z)'
        f" <{constants}> {{ z = Slice(x, {inputs}) }}"
    )
    NormalizeSlices().run(model, Context())
    return [array.tolist() for value in model.graph[0].inputs[1:] if (array := constant(value)) is not None]


@pytest.mark.parametrize(
    ("shape", "bounds", "after"),
    [
        ("8", "-2 2147483647", [[6], [8], [0], [1]]),
        ("8", "2 -1", [[2], [7], [0], [1]]),
        ("8", "-20 3", [[0], [3], [0], [1]]),
        ("8", "5 2", [[5], [5], [0], [1]]),
        ("8,6", "1,0 2,9 -1,0", [[0, 1], [8, 2], [0, 1], [1, 1]]),
        ("8,6", "1 99 1 2", [[1], [6], [1], [2]]),
        ("8,6", "1,2 4,5", [[1, 2], [4, 5], [0, 1], [1, 1]]),
        ("8", f"-1 {INT64_MIN} - -1", [[-1], [INT64_MIN], [0], [-1]]),
        ("N", f"-2 {INT32_MAX}", [[-2], [TO_THE_END], [0], [1]]),
        ("N,8", "1 -1 -2", [[1], [-1], [0], [1]]),
    ],
)
def test_numbers(shape: str, bounds: str, after: list[list[int]]) -> None:
    assert written(shape, bounds) == after


@pytest.mark.parametrize(
    "numbers",
    [
        {"s": [-2], "e": [INT32_MAX]},
        {"s": [-20, 1], "e": [3, -1], "a": [1, -2]},
        {"s": [1], "e": [99], "a": [-1], "n": [3]},
        {"s": [7], "e": [2]},
    ],
)
def test_the_slice_is_the_same(check_nodes: CheckNodes, numbers: dict[str, list[int]]) -> None:
    before = f"z = Slice(x, {', '.join(numbers)})"
    after = "z = Slice(x, z_starts, z_ends, z_axes, z_steps)"
    arrays = {name: np.array(values, np.int32) for name, values in numbers.items()}
    check_nodes(NormalizeSlices(), "(float[8,6] x) => (float[A,B] z)", before, after, **arrays)


def test_a_slice_in_form_stays(check_nodes: CheckNodes) -> None:
    arrays = {"s": np.array([1]), "e": np.array([4]), "a": np.array([0]), "n": np.array([1])}
    check_nodes(NormalizeSlices(), "(float[8] x) => (float[3] z)", "z = Slice(x, s, e, a, n)", None, **arrays)


def test_the_missing_inputs_are_added(check_nodes: CheckNodes) -> None:
    arrays = {"s": np.array([1]), "e": np.array([4])}
    after = "z = Slice(x, s, e, z_axes, z_steps)"
    check_nodes(NormalizeSlices(), "(float[8] x) => (float[3] z)", "z = Slice(x, s, e)", after, **arrays)


def test_a_computed_bound_stays(check_nodes: CheckNodes) -> None:
    interface = "(float[8] x, int64[1] s) => (float[A] z)"
    feed = {"x": np.ones(8, "float32"), "s": np.array([3])}
    check_nodes(NormalizeSlices(), interface, "z = Slice(x, s, e)", None, feed=feed, e=np.array([9]))
