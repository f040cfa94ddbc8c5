"""onnxruntime's CPU provider on x86-64 with VNNI and without AMX: nothing but direct kernels."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets.cpu import CPU

FOR_TILES = "shift-zero-point"

X86_VNNI = replace(
    CPU,
    name="x86-vnni",
    description="onnxruntime's CPU provider on x86-64 with AVX-VNNI or AVX512-VNNI and no AMX",
    is_host=False,
    substitutes=tuple(name for name in CPU.substitutes if name != FOR_TILES),
    exact_on=("x86-64 with VNNI",),
)
