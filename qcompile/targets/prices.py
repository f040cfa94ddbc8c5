"""What kernels cost on a kind of CPU, by rule of thumb: for decisions where nothing may be timed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelPrices:
    """Nanoseconds a multiply-add, or an element, in float and on integers; microseconds a call."""

    dense: tuple[float, float] = (0.0098, 0.0024)
    """Products and dense convolutions, (float, integer)."""
    narrow: tuple[float, float] = (0.0240, 0.0150)
    """Convolutions of channels that the integer kernel does not take four at a time; folded or padded, where it can."""
    depthwise: tuple[float, float] = (0.0470, 0.0350)
    recurrent: tuple[float, float] = (0.0098, 0.0050)
    element: tuple[float, float] = (0.15, 0.20)
    """An output element, of whatever op."""
    call: tuple[float, float] = (1.2, 1.2)


X86 = KernelPrices()
"""Measured with onnxruntime 1.31 on one thread of a Xeon with AVX512-VNNI; mean error of a whole net 5 to 15 %. Narrow
and depthwise integers as they are after their substitutes, by the gains measured for these on a Zen 4."""

AMX = KernelPrices(dense=(0.0098, 0.0014))
"""As X86, but that long sums go to tiles, measured 1.1 to 2.4 times as fast as the kernels without."""

AVX2 = KernelPrices(
    dense=(0.0190, 0.0110), narrow=(0.0300, 0.0600), depthwise=(0.0610, 0.0720), recurrent=(0.0190, 0.0130)
)
"""Derived, not measured: in float half the lanes of AVX-512; on integers three instructions (multiply and add pairs,
add pairs, add) for 32 products, where VNNI has one for 64."""

NEON = KernelPrices(
    dense=(0.0420, 0.0140), narrow=(0.0600, 0.0600), depthwise=(0.0900, 0.0800), recurrent=(0.0420, 0.0200)
)
"""Derived, not measured: two 128-bit units at 2.6 GHz, 4 products an instruction in float, 16 with dot products; three
quarters of the fourfold, for bytes that are shifted and repacked."""
