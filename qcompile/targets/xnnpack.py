"""onnxruntime's XNNPACK provider on phones: it takes QDQ groups with signed activations, never contrib operators."""

from __future__ import annotations

from qcompile.targets.cpu import TABLE
from qcompile.targets.table import Target

XNNPACK = Target(
    name="xnnpack",
    description="onnxruntime's XNNPACK provider (Android, iOS): QDQ form, signed 8-bit activations",
    table={op: entry for op, entry in TABLE.items() if entry.fuses_qdq},
    formats=("qdq",),
    activation_dtype="int8",
    measured=False,
    exact_on=("arm64",),
    session_config={"session.qdqisint8allowed": "1"},  # the default there; x86 would turn the codes into unsigned ones
)
