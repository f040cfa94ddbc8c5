"""Quantization: the plan written into the model as QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from qcompile.passes.quantize.cancel_qdq import CancelQDQ
from qcompile.passes.quantize.fold_weight_quantization import FoldWeightQuantization
from qcompile.passes.quantize.gather_stored_rows import GatherStoredRows
from qcompile.passes.quantize.insert_dynamic_quantization import InsertDynamicQuantization
from qcompile.passes.quantize.insert_qdq import InsertQDQ
from qcompile.passes.quantize.keep_float import KeepFloat
from qcompile.passes.quantize.move_captured_codes import MoveCapturedCodes
from qcompile.passes.quantize.quantize_bias import QuantizeBias
from qcompile.passes.quantize.quantize_interface import QuantizeInterface
from qcompile.passes.quantize.remove_qdq import RemoveQDQ
from qcompile.passes.quantize.segment_outputs import SegmentOutputs
from qcompile.passes.quantize.store_weights import StoreWeights

__all__ = [
    "CancelQDQ",
    "FoldWeightQuantization",
    "GatherStoredRows",
    "InsertDynamicQuantization",
    "InsertQDQ",
    "KeepFloat",
    "MoveCapturedCodes",
    "QuantizeBias",
    "QuantizeInterface",
    "RemoveQDQ",
    "SegmentOutputs",
    "StoreWeights",
]
