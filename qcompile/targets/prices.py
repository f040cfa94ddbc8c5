"""What kernels cost on a kind of CPU, by rule of thumb: for decisions where nothing may be timed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelPrices:
    """Nanoseconds a multiply-add, or an element, in float and on integers; microseconds a call."""

    dense: tuple[float, float] = (0.0098, 0.0024)
    """Products and dense convolutions, (float, integer)."""
    narrow: tuple[float, float] = (0.0240, 0.0420)
    """Convolutions of channels that the integer kernel does not take four at a time."""
    depthwise: tuple[float, float] = (0.0470, 0.0450)
    recurrent: tuple[float, float] = (0.0098, 0.0050)
    element: tuple[float, float] = (0.15, 0.25)
    """An output element, of whatever op."""
    call: tuple[float, float] = (1.2, 1.2)


X86 = KernelPrices()
"""Measured with onnxruntime 1.31 on one thread of a Xeon with AVX512-VNNI; mean error of a whole net 5 to 15 %."""
