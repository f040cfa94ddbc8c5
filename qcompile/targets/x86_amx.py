"""onnxruntime's CPU provider on x86-64 with AMX, whose tiles only matrix products use."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets.prices import AMX
from qcompile.targets.x86_vnni import FOR_TILES, X86_VNNI

X86_AMX = replace(
    X86_VNNI,
    name="x86-amx",
    description="onnxruntime's CPU provider on x86-64 with AMX-INT8",
    prices=AMX,
    substitutes=(*X86_VNNI.substitutes, FOR_TILES),
)
