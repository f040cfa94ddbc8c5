"""The CPU target with its matrix products left in float."""

from __future__ import annotations

from dataclasses import replace

from qcompile.targets import find_target

_CPU = find_target("cpu")

CONV_ONLY = replace(
    _CPU,
    name="conv-only",
    description="the cpu target, with Gemm and MatMul left in float",
    table={op: entry for op, entry in _CPU.table.items() if op not in ("Gemm", "MatMul")},
)
