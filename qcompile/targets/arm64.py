"""onnxruntime's CPU provider on arm64: the operators of x86-64, whose unsigned activations its kernels shift."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets.cpu import CPU
from qcompile.targets.prices import NEON

_RULES_OF_X86 = ("fold-stem", "pad-channels", "shift-zero-point", "widen-groups")
"""They make convolutions fit the kernels of x86-64; those of arm64 want others (microsoft/onnxruntime,
mlas/lib/convsym.cpp): depthwise ones 8, not 16, dense ones at least 64 inputs and kernels larger than 1x1."""

ARM64 = replace(
    CPU,
    name="arm64",
    description="onnxruntime's CPU provider on arm64 with dot products",
    is_host=False,
    measured=False,
    prices=NEON,
    substitutes=tuple(name for name in CPU.substitutes if name not in _RULES_OF_X86),
    exact_on=("arm64",),
)
