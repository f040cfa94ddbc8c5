"""LSTMs on integers, with ranges found at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, attribute, constant
from qcompile.passes.lower.integers import Lowering, Quantized, dequantized, dynamically_dequantized


@dataclass(frozen=True)
class FuseDynamicLSTM(Lowering):
    """Fuse an LSTM with 8-bit weights into DynamicQuantizeLSTM.

    Before: `y, h, c = LSTM(DQ(DynamicQuantizeLinear(x)), DQ <axis = 1> (w_q, sw, 0), DQ <axis = 1> (r_q, sr, 0), b)`
    After:  `y, h, c = com.microsoft.DynamicQuantizeLSTM(x, w_t, r_t, b, , , , , sw, 0, sr, 0)`

    w_t and r_t are transposed to [directions, inputs, gates]. All other inputs and all attributes are passed on. The
    kernel quantizes x by itself, and at every step the hidden state, so it is further from float than its reference.
    Only with layout 0, and with constant weights that have a scale for each row.
    """

    name: ClassVar[str] = "fuse-dynamic-lstm"
    ops: ClassVar[tuple[str, ...]] = ("LSTM",)

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Turn one LSTM into its integer form."""
        x = dynamically_dequantized(node.inputs[0])
        w, r = dequantized(node.inputs[1]), dequantized(node.inputs[2])
        if x is None or w is None or r is None:
            return None
        if attribute(node, "layout", 0) or w.axis != 1 or r.axis != 1:
            return "layout 1, or weights without a scale for each row"
        graph, quantize = node.graph, x.value.producer()
        assert isinstance(graph, ir.Graph) and quantize is not None
        node.resize_inputs(12)
        node.replace_input_with(0, quantize.inputs[0])
        for weight, indexes in ((w, (1, 8, 9)), (r, (2, 10, 11))):
            parts = zip(indexes, ("transposed", "scales", "zero_points"), _by_gates(weight), strict=True)
            for index, part, array in parts:
                node.replace_input_with(index, names.initializer(graph, f"{weight.value.name}_{part}", array))
        node.attributes.pop("layout", None)
        node.op_type, node.domain = "DynamicQuantizeLSTM", CONTRIB
        return True


def _by_gates(weight: Quantized) -> list[np.ndarray]:
    """Codes [directions, inputs, gates]; scales and zero points [directions, gates], alike for all directions."""
    codes, params = constant(weight.value), weight.params()
    assert codes is not None
    rows = codes.shape[:2]
    parts = (codes.transpose(0, 2, 1), np.broadcast_to(params.scale, rows), np.broadcast_to(params.zero_point, rows))
    return [np.ascontiguousarray(part) for part in parts]
