"""A slice can be written in many ways: here it gets one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves

TO_THE_END = int(np.iinfo(np.int64).max)
_FAR = int(np.iinfo(np.int32).max)
"""Ends from here on are written by exporters for whatever the size is."""


class NormalizeSlices(NodePass):
    """Write a Slice with all its inputs, axes from 0 in rising order, and bounds within the dimension.

    ```
    y = Slice(x, [-2], [2147483647])  =>  y = Slice(x, [6], [8], [0], [1])                     (x of 8 rows)
                                          y = Slice(x, [-2], [9223372036854775807], [0], [1])  (of unknown many)
    ```
    Bounds of axes that run backward stay as they are: an end before the first element has no other number.
    It stays when a bound is computed or the rank is unknown. Preserves: exact.
    """

    name = "normalize-slices"
    preserves = Preserves.EXACT
    ops = ("Slice",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite the numbers of one Slice."""
        found = cuts(node)
        if found is None:
            return False
        axes, *bounds, steps = (np.array(numbers, np.int64) for numbers in zip(*found, strict=True))
        wanted = [*bounds, axes, steps]
        if len(node.inputs) == 5 and all(map(_is, node.inputs[1:], wanted)):
            return False
        assert isinstance(node.graph, ir.Graph)
        node.resize_inputs(5)
        for index, (label, array) in enumerate(zip(("starts", "ends", "axes", "steps"), wanted, strict=True), 1):
            if not _is(node.inputs[index], array):
                wish = f"{node.outputs[0].name}_{label}"
                node.replace_input_with(index, names.initializer(node.graph, wish, array))
        return True


def _is(value: ir.Value | None, array: np.ndarray) -> bool:
    """Whether the value is this array, type included."""
    given = constant(value)
    return given is not None and given.dtype == array.dtype and np.array_equal(given, array)


class Cut(NamedTuple):
    """What a Slice takes of one axis. Where its size is known and it runs forward, 0 <= start <= end <= size."""

    axis: int
    start: int
    end: int
    step: int


def cuts(node: ir.Node) -> list[Cut] | None:
    """What a Slice takes, by rising axis; None where a number is computed or the rank is unknown."""
    data, *bounds = node.inputs
    arrays = [constant(value) for value in bounds]
    unknown = any(value is not None and array is None for value, array in zip(bounds, arrays, strict=True))
    if data is None or data.shape is None or unknown:
        return None
    starts, ends, axes, steps = ([] if array is None else array.tolist() for array in (*arrays, None, None)[:4])
    axes = [axis % len(data.shape) for axis in axes or range(len(starts))]
    found = zip(axes, starts, ends, steps or [1] * len(starts), strict=True)
    return sorted(_within(Cut(*numbers), data.shape[numbers[0]]) for numbers in found)


def _within(cut: Cut, size: int | ir.SymbolicDim) -> Cut:
    if cut.step < 0:
        return cut
    if not isinstance(size, int) or size < 0:
        return cut._replace(end=TO_THE_END) if cut.end >= _FAR else cut
    start, end = (min(max(bound + size if bound < 0 else bound, 0), size) for bound in (cut.start, cut.end))
    return Cut(cut.axis, start, max(start, end), cut.step)
