"""onnxruntime's CPU provider on any x86-64, where some machines add pairs of byte products at 16 bits."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets.table import WITHOUT_VNNI
from qcompile.targets.x86_vnni import X86_VNNI

_RENUMBERING = ("pad-channels", "route-channels")
"""They give channels other neighbours, and it is in pairs of neighbours that the weights are kept below 16 bits."""

X86_64 = replace(
    X86_VNNI,
    name="x86-64",
    description="onnxruntime's CPU provider on any x86-64: exact without VNNI too, nothing tuned to AMX",
    measured=False,
    substitutes=tuple(name for name in X86_VNNI.substitutes if name not in _RENUMBERING),
    saturates=True,
    exact_on=(*X86_VNNI.exact_on, WITHOUT_VNNI),
)
