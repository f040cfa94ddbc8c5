"""onnxruntime's CPU provider on x86-64 without VNNI: the same kernels, slower on integers."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets.prices import AVX2
from qcompile.targets.x86_64 import X86_64

X86_AVX2 = replace(
    X86_64,
    name="x86-avx2",
    description="onnxruntime's CPU provider on x86-64 with AVX2 or AVX-512 and no VNNI",
    prices=AVX2,
)
