"""Integer kernels in numpy, which those of onnxruntime equal bit by bit (Add and Mul: within one step).

They describe machines whose byte products do not saturate at 16 bits: VNNI and AMX on x86-64, every arm64. What the
others do is `saturating_product`.
"""

from __future__ import annotations

from qcompile.quant.reference.conv import qlinear_conv
from qcompile.quant.reference.elementwise import (
    qlinear_add,
    qlinear_concat,
    qlinear_global_average_pool,
    qlinear_leaky_relu,
    qlinear_mul,
    qlinear_sigmoid,
)
from qcompile.quant.reference.matmul import matmul_integer_to_float, qgemm, qlinear_matmul
from qcompile.quant.reference.requantize import requantize
from qcompile.quant.reference.saturating import saturating_product

__all__ = [
    "matmul_integer_to_float",
    "qgemm",
    "qlinear_add",
    "qlinear_concat",
    "qlinear_conv",
    "qlinear_global_average_pool",
    "qlinear_leaky_relu",
    "qlinear_matmul",
    "qlinear_mul",
    "qlinear_sigmoid",
    "requantize",
    "saturating_product",
]
