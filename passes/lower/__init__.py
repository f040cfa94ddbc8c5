"""Lowering: QDQ units become the integer operators of the runtime."""

from __future__ import annotations

from qcompile.passes.lower.absorb_matmul_bias import AbsorbMatMulBias
from qcompile.passes.lower.absorb_product_scale import AbsorbProductScale
from qcompile.passes.lower.clamp_integers import ClampIntegers
from qcompile.passes.lower.clamp_softmax import ClampSoftmax
from qcompile.passes.lower.fold_stem import FoldStem
from qcompile.passes.lower.fuse_average_pool import FuseAveragePool
from qcompile.passes.lower.fuse_conv_transpose import FuseConvTranspose
from qcompile.passes.lower.fuse_dynamic_gemm import FuseDynamicGemm
from qcompile.passes.lower.fuse_dynamic_lstm import FuseDynamicLSTM
from qcompile.passes.lower.fuse_hard_swish import FuseHardSwish
from qcompile.passes.lower.fuse_pointwise_conv import FusePointwiseConv
from qcompile.passes.lower.fuse_qgemm import FuseQGemm
from qcompile.passes.lower.fuse_qlinear_binary import FuseQLinearBinary
from qcompile.passes.lower.fuse_qlinear_concat import FuseQLinearConcat
from qcompile.passes.lower.fuse_qlinear_conv import FuseQLinearConv
from qcompile.passes.lower.fuse_qlinear_matmul import FuseQLinearMatMul
from qcompile.passes.lower.fuse_qlinear_pool import FuseQLinearPool
from qcompile.passes.lower.fuse_qlinear_unary import FuseQLinearUnary
from qcompile.passes.lower.mask_integers import MaskIntegers
from qcompile.passes.lower.move_integers import MoveIntegers
from qcompile.passes.lower.pad_channels import PadChannels
from qcompile.passes.lower.pad_integers import PadIntegers
from qcompile.passes.lower.pool_before_activation import PoolBeforeActivation
from qcompile.passes.lower.route_channels import RouteChannels
from qcompile.passes.lower.shift_zero_point import ShiftZeroPoint
from qcompile.passes.lower.split_products import SplitProducts
from qcompile.passes.lower.spread_blocks import SpreadBlocks
from qcompile.passes.lower.widen_groups import WidenGroups

__all__ = [
    "AbsorbMatMulBias",
    "AbsorbProductScale",
    "ClampIntegers",
    "ClampSoftmax",
    "FoldStem",
    "FuseAveragePool",
    "FuseConvTranspose",
    "FuseDynamicGemm",
    "FuseDynamicLSTM",
    "FuseHardSwish",
    "FusePointwiseConv",
    "FuseQGemm",
    "FuseQLinearBinary",
    "FuseQLinearConcat",
    "FuseQLinearConv",
    "FuseQLinearMatMul",
    "FuseQLinearPool",
    "FuseQLinearUnary",
    "MaskIntegers",
    "MoveIntegers",
    "PadChannels",
    "PadIntegers",
    "PoolBeforeActivation",
    "RouteChannels",
    "ShiftZeroPoint",
    "SplitProducts",
    "SpreadBlocks",
    "WidenGroups",
]
