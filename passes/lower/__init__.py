"""Lowering: QDQ units become the integer operators of the runtime."""

from __future__ import annotations

from qcompile.passes.lower.absorb_matmul_bias import AbsorbMatMulBias
from qcompile.passes.lower.clamp_integers import ClampIntegers
from qcompile.passes.lower.fuse_dynamic_gemm import FuseDynamicGemm
from qcompile.passes.lower.fuse_dynamic_lstm import FuseDynamicLSTM
from qcompile.passes.lower.fuse_hard_swish import FuseHardSwish
from qcompile.passes.lower.fuse_qgemm import FuseQGemm
from qcompile.passes.lower.fuse_qlinear_binary import FuseQLinearBinary
from qcompile.passes.lower.fuse_qlinear_concat import FuseQLinearConcat
from qcompile.passes.lower.fuse_qlinear_conv import FuseQLinearConv
from qcompile.passes.lower.fuse_qlinear_matmul import FuseQLinearMatMul
from qcompile.passes.lower.fuse_qlinear_pool import FuseQLinearPool
from qcompile.passes.lower.fuse_qlinear_unary import FuseQLinearUnary
from qcompile.passes.lower.move_integers import MoveIntegers

__all__ = [
    "AbsorbMatMulBias",
    "ClampIntegers",
    "FuseDynamicGemm",
    "FuseDynamicLSTM",
    "FuseHardSwish",
    "FuseQGemm",
    "FuseQLinearBinary",
    "FuseQLinearConcat",
    "FuseQLinearConv",
    "FuseQLinearMatMul",
    "FuseQLinearPool",
    "FuseQLinearUnary",
    "MoveIntegers",
]
