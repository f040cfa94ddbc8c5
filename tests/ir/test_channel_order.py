"""Values laid out again and again still tell what they held at first."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from qcompile.ir import EMPTY, as_first_laid_out, lay_out


@given(st.integers(1, 6), st.data())
def test_back_to_the_first_order(channels: int, data: st.DataObject) -> None:
    first = np.arange(2 * channels * 3).reshape(2, channels, 3)
    value, array = ir.Value(name="v", shape=ir.Shape(first.shape)), first
    for _ in range(data.draw(st.integers(0, 3))):
        empty = [EMPTY] * data.draw(st.integers(0, 2))
        layout = np.array(data.draw(st.permutations([*range(array.shape[1]), *empty])))
        array = np.where((layout == EMPTY)[:, None], -7, array[:, np.maximum(layout, 0)])
        lay_out(value, layout)
    assert value.shape == array.shape
    np.testing.assert_array_equal(as_first_laid_out(value, array), first)
