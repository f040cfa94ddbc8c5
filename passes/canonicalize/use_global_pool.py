"""One op for the mean of each channel."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant, is_op, rank, static_shape
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.passes.canonicalize.replacing import become, insert


class UseGlobalPool(NodePass):
    """Write means over all spatial axes as GlobalAveragePool, for which there is an integer kernel.

    ```
    y = ReduceMean(x, [2, 3])                     =>  y = GlobalAveragePool(x)
    y = ReduceMean <keepdims = 0> (x, [2, 3])     =>  a = GlobalAveragePool(x); y = Flatten(a)
    y = AveragePool <kernel_shape = [7, 7]> (x)   =>  y = GlobalAveragePool(x)      (x: (N,C,7,7), no padding)
    ```
    ReduceMean stays over other axes and where the rank is not 4 or 5 (the last of three axes may as well hold the
    features of a token, whose mean belongs to a norm that the runtime fuses), AveragePool where the input has an
    unknown size or another one than the kernel. Both stay for other types than float and float16: there is no kernel.
    Runs behind the passes that look for the means of a normalization. Preserves: float-equal up to rounding.
    """

    name = "use-global-pool"
    ops = ("ReduceMean", "AveragePool")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite one mean."""
        x = node.inputs[0]
        if x is None or x.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16) or x.shape is None:
            return False
        if not (_takes_all(node) if is_op(node, "AveragePool") else _reduces_all(node)):
            return False
        if is_op(node, "AveragePool") or attribute(node, "keepdims", 1):
            become(node, "GlobalAveragePool", [x])
            return True
        shape = [*x.shape[:2], *[1] * (len(x.shape) - 2)]
        become(node, "Flatten", [insert(node, "GlobalAveragePool", [x], names, shape=shape)])
        return True


def _reduces_all(node: ir.Node) -> bool:
    axes, dims = constant(node.inputs[1]) if len(node.inputs) > 1 else None, rank(node.inputs[0]) or 0
    return axes is not None and dims in (4, 5) and np.array_equal(np.sort(axes.reshape(-1) % dims), range(2, dims))


def _takes_all(node: ir.Node) -> bool:
    shape = static_shape(node.inputs[0])
    plain = attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID") and not any(attribute(node, "pads", ()))
    undilated = all(dilation == 1 for dilation in attribute(node, "dilations", ()))
    kernel = tuple(attribute(node, "kernel_shape"))
    return plain and undilated and shape is not None and shape[2:] == kernel
