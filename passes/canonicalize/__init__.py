"""Canonicalisation: one form for each meaning, whatever exporter wrote the graph."""

from __future__ import annotations

from qcompile.passes.canonicalize.explicit_pads import ExplicitPads
from qcompile.passes.canonicalize.fold_affine import FoldAffine
from qcompile.passes.canonicalize.fold_batchnorm import FoldBatchNorm
from qcompile.passes.canonicalize.fold_bias_add import FoldBiasAdd
from qcompile.passes.canonicalize.fold_constants import FoldConstants
from qcompile.passes.canonicalize.infer_shapes import InferShapes
from qcompile.passes.canonicalize.inline_functions import InlineFunctions
from qcompile.passes.canonicalize.lift_constants import LiftConstants
from qcompile.passes.canonicalize.merge_reshapes import MergeReshapes
from qcompile.passes.canonicalize.merge_transposes import MergeTransposes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.passes.canonicalize.normalize_clip import NormalizeClip
from qcompile.passes.canonicalize.raise_opset import RaiseOpset
from qcompile.passes.canonicalize.remove_noops import RemoveNoops

__all__ = [
    "ExplicitPads",
    "FoldAffine",
    "FoldBatchNorm",
    "FoldBiasAdd",
    "FoldConstants",
    "InferShapes",
    "InlineFunctions",
    "LiftConstants",
    "MergeReshapes",
    "MergeTransposes",
    "NameNodes",
    "NormalizeClip",
    "RaiseOpset",
    "RemoveNoops",
]
