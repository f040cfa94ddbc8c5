"""InstanceNormalization out of means, powers and roots."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.ir import Names, constant, rank, static_shape
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.normalization import normalization


class RecoverInstanceNorm(NodePass):
    """Recover InstanceNormalization from means over all spatial axes.

    ```
    m = ReduceMean(x, [2, 3])    =>  z = InstanceNormalization <epsilon = 1e-5> (x, scale, bias)
    d = Sub(x, m)                    (in all the forms of recover-layer-norm; scale and bias of shape (C,1,1),
    v = ReduceMean(Mul(d, d), [2, 3]) (1,C,1,1); ones and zeros where there are none)
    z = Div(d, Sqrt(Add(v, epsilon)))
    ```
    It stays where the rank is unknown, where a value in between is read elsewhere, where scale or bias is absent and
    the number of channels unknown, and in double, for which onnxruntime has no such kernel. A Mul or Add behind it by
    anything but one number per channel stays behind it. Preserves: float-equal up to rounding.
    """

    name = "recover-instance-norm"
    ops = ("ReduceMean",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Recover the normalization around one variance."""
        found = normalization(node, _is_channel_axis)
        if found is None or found.axes != tuple(range(2, rank(found.x) or 0)):
            return False
        if found.x.dtype == ir.DataType.DOUBLE:
            return "onnxruntime has no InstanceNormalization for double"
        return found.write("InstanceNormalization", {}, 1, (1.0, 0.0), names)


def _is_channel_axis(vector: ir.Value, x: ir.Value) -> bool:
    """Whether the value is a constant of one number per channel of x, which has a known rank."""
    array, shape = constant(vector), static_shape(vector)
    dims, length = rank(x) or 0, x.shape[1] if x.shape else None
    if array is None or shape is None or len(shape) > dims:
        return False
    full = (1,) * (dims - len(shape)) + shape
    return array.size == full[1] and (full[1] == length or (full[1] > 1 and not isinstance(length, int)))
