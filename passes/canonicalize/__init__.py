"""Canonicalisation: one form for each meaning, whatever exporter wrote the graph."""

from __future__ import annotations

from qcompile.passes.canonicalize.compute_in_float32 import ComputeInFloat32
from qcompile.passes.canonicalize.drop_full_scatter import DropFullScatter
from qcompile.passes.canonicalize.expand_bias_gelu import ExpandBiasGelu
from qcompile.passes.canonicalize.expand_embed_norm import ExpandEmbedNorm
from qcompile.passes.canonicalize.expand_fused_matmul import ExpandFusedMatMul
from qcompile.passes.canonicalize.expand_skip_norm import ExpandSkipNorm
from qcompile.passes.canonicalize.explicit_pads import ExplicitPads
from qcompile.passes.canonicalize.fold_affine import FoldAffine
from qcompile.passes.canonicalize.fold_batchnorm import FoldBatchNorm
from qcompile.passes.canonicalize.fold_batchnorm_forward import FoldBatchNormForward
from qcompile.passes.canonicalize.fold_bias_add import FoldBiasAdd
from qcompile.passes.canonicalize.fold_constants import FoldConstants
from qcompile.passes.canonicalize.fold_einsum import FoldEinsum
from qcompile.passes.canonicalize.fold_pad import FoldPad
from qcompile.passes.canonicalize.fold_shapes import FoldShapes
from qcompile.passes.canonicalize.gather_one_hot import GatherOneHot
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.passes.canonicalize.inline_functions import InlineFunctions
from qcompile.passes.canonicalize.inline_if import InlineIf
from qcompile.passes.canonicalize.lift_constants import LiftConstants
from qcompile.passes.canonicalize.merge_concats import MergeConcats
from qcompile.passes.canonicalize.merge_reshapes import MergeReshapes
from qcompile.passes.canonicalize.merge_slices import MergeSlices
from qcompile.passes.canonicalize.merge_transposes import MergeTransposes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.passes.canonicalize.normalize_clip import NormalizeClip
from qcompile.passes.canonicalize.normalize_rms_norm import NormalizeRmsNorm
from qcompile.passes.canonicalize.normalize_slices import NormalizeSlices
from qcompile.passes.canonicalize.normalize_split import NormalizeSplit
from qcompile.passes.canonicalize.raise_opset import RaiseOpset
from qcompile.passes.canonicalize.recover_gelu import RecoverGelu
from qcompile.passes.canonicalize.recover_hard_swish import RecoverHardSwish
from qcompile.passes.canonicalize.recover_instance_norm import RecoverInstanceNorm
from qcompile.passes.canonicalize.recover_layer_norm import RecoverLayerNorm
from qcompile.passes.canonicalize.recover_softmax import RecoverSoftmax
from qcompile.passes.canonicalize.remove_casts import RemoveCasts
from qcompile.passes.canonicalize.remove_noops import RemoveNoops
from qcompile.passes.canonicalize.share_common import ShareCommon
from qcompile.passes.canonicalize.split_batchnorm import SplitBatchNorm
from qcompile.passes.canonicalize.split_skip_norm import SplitSkipNorm
from qcompile.passes.canonicalize.use_global_pool import UseGlobalPool

__all__ = [
    "ComputeInFloat32",
    "DropFullScatter",
    "ExpandBiasGelu",
    "ExpandEmbedNorm",
    "ExpandFusedMatMul",
    "ExpandSkipNorm",
    "ExplicitPads",
    "FoldAffine",
    "FoldBatchNorm",
    "FoldBatchNormForward",
    "FoldBiasAdd",
    "FoldConstants",
    "FoldEinsum",
    "FoldPad",
    "FoldShapes",
    "GatherOneHot",
    "InferShapes",
    "InlineFunctions",
    "InlineIf",
    "LiftConstants",
    "MergeConcats",
    "MergeReshapes",
    "MergeSlices",
    "MergeTransposes",
    "NameNodes",
    "NormalizeClip",
    "NormalizeRmsNorm",
    "NormalizeSlices",
    "NormalizeSplit",
    "RaiseOpset",
    "RecoverGelu",
    "RecoverHardSwish",
    "RecoverInstanceNorm",
    "RecoverLayerNorm",
    "RecoverSoftmax",
    "RemoveCasts",
    "RemoveNoops",
    "ShareCommon",
    "SplitBatchNorm",
    "SplitSkipNorm",
    "UseGlobalPool",
]
