"""Batch normalization at inference is an affine map per channel: the linear op before it can do it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, constant
from qcompile.passes.canonicalize.linear import Linear, linear_before
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass


class FoldBatchNorm(NodePass):
    """Fold BatchNormalization into the Conv, ConvTranspose, Gemm or MatMul before it.

    ```
    y = Conv(x, w)                                          =>  z = Conv(x, w_folded, w_bias_folded)
    z = BatchNormalization(y, scale, shift, mean, variance)
    ```
    With k = scale / sqrt(variance + epsilon), the weight becomes w * k and the bias (b - mean) * k + shift, computed
    in float64. A MatMul becomes a Gemm. A weight that others read too is copied.

    It stays when it is in training mode, its parameters or the weights are computed or can be overridden by a graph
    input, the linear op's output is read elsewhere, or the MatMul's channels are not on axis 1 (rank 3 and up).
    Preserves: float-equal up to rounding.
    """

    name = "fold-batchnorm"
    ops = ("BatchNormalization",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Fold one BatchNormalization."""
        found = batchnorm_affine(node)
        linear = linear_before(node.inputs[0])
        if isinstance(found, str):
            return found
        if not isinstance(linear, Linear):
            return linear or "no linear op before it"
        if linear.axis != 1:
            return "its channels are not those of the MatMul"
        outcome = linear.fold(*found, names)
        if outcome is True:
            bypass(node, linear.node.outputs[0])
        return outcome


def batchnorm_affine(node: ir.Node) -> tuple[np.ndarray, np.ndarray] | str:
    """(scale, shift) of a BatchNormalization, float64 of shape (channels,), maybe not finite; or why they are unknown.

    Ioffe & Szegedy 2015, equation 1 and algorithm 2.
    """
    if attribute(node, "training_mode", 0):
        return "it is in training mode"
    parameters = [constant(value) for value in node.inputs[1:]]
    if any(array is None for array in parameters):
        return "its parameters are not constant"
    scale, shift, mean, variance = (np.asarray(array, np.float64) for array in parameters)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        return factor, shift - mean * factor
