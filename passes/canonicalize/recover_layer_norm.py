"""LayerNormalization out of means, powers and roots."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, constant, rank, static_shape
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.normalization import normalization


class RecoverLayerNorm(NodePass):
    """Recover LayerNormalization over the last axis from its parts.

    ```
    m = ReduceMean(x, last)      =>  z = LayerNormalization <axis = -1, epsilon = 1e-5> (x, scale, bias)
    d = Sub(x, m)                    (d once or twice; Mul(d, d); Pow(v, -0.5) or a reciprocal, and Mul for Div;
    s = Pow(d, two)                   scale and bias both, one or none)
    v = ReduceMean(s, last)
    r = Sqrt(Add(v, epsilon))
    z = Add(Mul(Div(d, r), scale), bias)

    k = Mul(r, scale)            =>  the same, r being 1 / Sqrt(Add(v, epsilon))
    z = Add(Mul(x, k), Sub(bias, Mul(m, k)))
    ```
    It stays over other axes, where the dimensions are not kept, where a value in between is read elsewhere, and where
    there is no scale and the length of the axis is unknown. A Mul or Add behind it by anything but one number per
    element of the axis stays behind it. Preserves: float-equal up to rounding.
    """

    name = "recover-layer-norm"
    ops = ("ReduceMean",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Recover the normalization around one variance."""
        found = normalization(node, _is_last_axis)
        if found is None or found.axes not in ((-1,), ((rank(found.x) or 0) - 1,)):
            return False
        return found.write("LayerNormalization", {"axis": -1}, -1, (1.0, None), names)


def _is_last_axis(vector: ir.Value, x: ir.Value) -> bool:
    """Whether the value is one number per element of the last axis of x; a constant may have leading ones."""
    shape, length = static_shape(vector), x.shape[-1] if x.shape else None
    most = 1 if constant(vector) is None else rank(x) or 1
    if not shape or len(shape) > most or any(dim != 1 for dim in shape[:-1]):
        return False
    return shape[-1] == length or (shape[-1] > 1 and not isinstance(length, int))
