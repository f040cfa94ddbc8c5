"""Ranges of made-up samples are widened where one number answers for a whole sample."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.decide.margins import MARGIN, with_margins

HEAD = """
<ir_version: 10, opset_import: ["": 21]>
net (float[N,8,4,4] x, float[8,8,1,1] w, float[8,5] v) => (float[N,5] y)
<float[N,8,4,4] map, float[N,8,1,1] pooled, float[N,8,1,1] hidden, float[N,8] flat> {
   map = Conv(x, w)
   pooled = GlobalAveragePool(map)
   hidden = Conv(pooled, w)
   flat = Flatten(hidden)
   y = MatMul(flat, v)
}
"""


def test_logits_and_hidden_layers_of_a_head_get_room_and_maps_do_not() -> None:
    seen = dict.fromkeys(("x", "map", "pooled", "hidden", "flat", "y"), (-1.0, 2.0))
    found = with_margins(ir.from_onnx_text(HEAD), seen)
    assert {name for name, span in found.items() if span == (-MARGIN, 2 * MARGIN)} == {"hidden", "y"}
    assert all(found[name] == (-1.0, 2.0) for name in ("x", "map", "pooled", "flat"))
