"""Weights written small: what passes see is what the runtime computes, once, at load."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.ir import Names, constant
from qcompile.passes.lower.expansion import Expansion
from qcompile.runtime import Session, optimized_nodes

CODES = np.arange(-12, 12).reshape(2, 3, 4).astype(np.int8)


@pytest.mark.parametrize(
    ("expand", "wanted"),
    [
        (lambda write, w: write.tiled(w, 0, 3), np.concatenate([CODES] * 3)),
        (lambda write, w: write.padded(w, 1, 1, 2), np.pad(CODES, ((0, 0), (1, 2), (0, 0)))),
        (lambda write, w: write.cut(w, 2, 3), CODES[:, :, :3]),
        (lambda write, w: write.viewed(w, (4, -1)), CODES.reshape(4, 6)),
        (lambda write, w: write.transposed(w, (2, 0, 1)), CODES.transpose(2, 0, 1)),
        (lambda write, w: write.viewed(write.padded(write.tiled(w, 0, 2), 0, 0, 1), (5, 12)), None),
    ],
    ids=["tiled", "padded", "cut", "viewed", "transposed", "one after the other"],
)
def test_the_constant_is_what_the_runtime_computes(
    expand: Callable[[Expansion, ir.Value], ir.Value], wanted: np.ndarray | None
) -> None:
    text = '<ir_version: 10, opset_import: ["": 21]> g (int8 x) => (int8 y) <int8[2,3,4] w> { [max] y = Max(x, w) }'
    model = ir.from_onnx_text(text, initializers=[ir.tensor(CODES, name="w")])
    node = model.graph.node(0)
    made = expand(Expansion(node, Names(model)), model.graph.initializers["w"])
    node.replace_input_with(1, made)
    known = constant(made)
    assert known is not None
    if wanted is not None:
        np.testing.assert_array_equal(known, wanted)
    feed = {"x": np.array(-128, np.int8)}
    for optimize in (False, True):
        np.testing.assert_array_equal(Session(model, optimize=optimize).run(feed)[0], known)
    assert [n.op_type for n in optimized_nodes(model)] == ["Max"]
