"""All arithmetic of quantization: numpy in, numpy out."""

from __future__ import annotations

from qcompile.quant.bias import INT32_MAX, fit_weight_scale, quantize_bias
from qcompile.quant.channel_mean import ChannelMean
from qcompile.quant.channel_range import ChannelRange
from qcompile.quant.entropy import entropy_range
from qcompile.quant.fidelity import Comparison, OutputFidelity
from qcompile.quant.histogram import Histogram
from qcompile.quant.knee import hard_sigmoid_params, knee_steps, params_with_knee
from qcompile.quant.mse import Function, mse_range
from qcompile.quant.noise import input_sqnr_db
from qcompile.quant.observers import (
    OBSERVERS,
    EntropyObserver,
    HistogramObserver,
    MinMaxObserver,
    MseObserver,
    Observer,
    PercentileObserver,
)
from qcompile.quant.params import QuantParams, params_from_range
from qcompile.quant.patches import Patches
from qcompile.quant.percentile import percentile_range
from qcompile.quant.rounding import Rounding, pack_steps, round_weights, rounded_codes
from qcompile.quant.saturation import may_saturate, unsaturated_scale
from qcompile.quant.scheme import INT8_SYMMETRIC, UINT8, WEIGHT_INT8, Scheme
from qcompile.quant.second_moment import SecondMoment
from qcompile.quant.sub_pixel import SubPixel, sub_pixel
from qcompile.quant.weights import weight_params

__all__ = [
    "INT8_SYMMETRIC",
    "INT32_MAX",
    "OBSERVERS",
    "UINT8",
    "WEIGHT_INT8",
    "ChannelMean",
    "ChannelRange",
    "Comparison",
    "EntropyObserver",
    "Function",
    "Histogram",
    "HistogramObserver",
    "MinMaxObserver",
    "MseObserver",
    "Observer",
    "OutputFidelity",
    "Patches",
    "PercentileObserver",
    "QuantParams",
    "Rounding",
    "Scheme",
    "SecondMoment",
    "SubPixel",
    "entropy_range",
    "fit_weight_scale",
    "hard_sigmoid_params",
    "input_sqnr_db",
    "knee_steps",
    "may_saturate",
    "mse_range",
    "pack_steps",
    "params_from_range",
    "params_with_knee",
    "percentile_range",
    "quantize_bias",
    "round_weights",
    "rounded_codes",
    "sub_pixel",
    "unsaturated_scale",
    "weight_params",
]
