"""A batch normalization that no linear op takes is a scale and a shift: operators that integers know."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, rank
from qcompile.passes.canonicalize.affine import Affine, affine_of
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass


class SplitBatchNorm(NodePass):
    """Write a BatchNormalization as Mul and Add by constants per channel.

    ```
    y = BatchNormalization(x, scale, shift, mean, variance)  =>  t = Mul(x, y_scale)     (C,1,1), for x of rank 4
                                                                 y = Add(t, y_shift)     (C,1,1)
    ```
    A scale of ones and a shift of zeros are left out (but not both). Runs after the passes that fold it.

    It stays when it is in training mode, its parameters are computed or can be overridden by a graph input, or the
    rank of its input is unknown or below 2. Preserves: float-equal up to rounding.
    """

    name = "split-batchnorm"
    ops = ("BatchNormalization",)
