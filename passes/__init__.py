"""Built-in passes, one a file, in stage folders; `DEFAULT_ORDER` is the order in which they run."""

from __future__ import annotations

if __name__ != "qcompile.passes":  # a second copy under another name would be other classes
    raise ImportError("import qcompile.passes, not passes")

DEFAULT_ORDER: tuple[tuple[str, str], ...] = (
    ("canonicalize", "qcompile.passes.canonicalize.name_nodes.NameNodes"),
    ("canonicalize", "qcompile.passes.canonicalize.inline_functions.InlineFunctions"),
    ("canonicalize", "qcompile.passes.canonicalize.lift_constants.LiftConstants"),
    ("canonicalize", "qcompile.passes.canonicalize.raise_opset.RaiseOpset"),
    ("canonicalize", "qcompile.passes.canonicalize.infer_shapes.InferShapes"),
    ("canonicalize", "qcompile.passes.canonicalize.fold_constants.FoldConstants"),
    ("canonicalize", "qcompile.passes.canonicalize.merge_transposes.MergeTransposes"),
    ("canonicalize", "qcompile.passes.canonicalize.merge_reshapes.MergeReshapes"),
    ("canonicalize", "qcompile.passes.canonicalize.remove_noops.RemoveNoops"),
    ("canonicalize", "qcompile.passes.canonicalize.explicit_pads.ExplicitPads"),
    ("canonicalize", "qcompile.passes.canonicalize.normalize_clip.NormalizeClip"),
    ("canonicalize", "qcompile.passes.canonicalize.fold_bias_add.FoldBiasAdd"),
    ("canonicalize", "qcompile.passes.canonicalize.fold_batchnorm.FoldBatchNorm"),
    ("canonicalize", "qcompile.passes.canonicalize.fold_affine.FoldAffine"),
    ("observe", "qcompile.passes.observe.insert_observers.InsertObservers"),
    ("repair", "qcompile.passes.repair.correct_bias.CorrectBias"),
    ("quantize", "qcompile.passes.quantize.insert_qdq.InsertQDQ"),
    ("quantize", "qcompile.passes.quantize.cancel_qdq.CancelQDQ"),
    ("quantize", "qcompile.passes.quantize.quantize_bias.QuantizeBias"),
    ("quantize", "qcompile.passes.quantize.fold_weight_quantization.FoldWeightQuantization"),
    ("quantize", "qcompile.passes.quantize.gather_stored_rows.GatherStoredRows"),
    ("quantize", "qcompile.passes.quantize.store_weights.StoreWeights"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_conv.FuseQLinearConv"),
    ("lower", "qcompile.passes.lower.fuse_qgemm.FuseQGemm"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_matmul.FuseQLinearMatMul"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_binary.FuseQLinearBinary"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_unary.FuseQLinearUnary"),
    ("lower", "qcompile.passes.lower.fuse_hard_swish.FuseHardSwish"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_pool.FuseQLinearPool"),
    ("lower", "qcompile.passes.lower.fuse_qlinear_concat.FuseQLinearConcat"),
    ("lower", "qcompile.passes.lower.clamp_integers.ClampIntegers"),
    ("lower", "qcompile.passes.lower.move_integers.MoveIntegers"),
)
"""(stage, dotted name of the pass class)."""
