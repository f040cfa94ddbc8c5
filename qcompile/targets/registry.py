"""Targets by name: the built-in ones, and those that packages register under the entry point `qcompile.targets`."""

from __future__ import annotations

from importlib.metadata import entry_points

from qcompile.errors import TargetError
from qcompile.targets.arm64 import ARM64
from qcompile.targets.cpu import CPU
from qcompile.targets.table import Target
from qcompile.targets.x86_64 import X86_64
from qcompile.targets.x86_amx import X86_AMX
from qcompile.targets.x86_avx2 import X86_AVX2
from qcompile.targets.x86_vnni import X86_VNNI
from qcompile.targets.xnnpack import XNNPACK

ENTRY_POINT = "qcompile.targets"

_BUILT_IN = {target.name: target for target in (CPU, X86_64, X86_AVX2, X86_VNNI, X86_AMX, ARM64, XNNPACK)}


def target_names() -> list[str]:
    """Names of all targets, built-in ones first."""
    return [*_BUILT_IN, *(p.name for p in entry_points(group=ENTRY_POINT) if p.name not in _BUILT_IN)]


def find_target(name: str) -> Target:
    """The target of this name. Raises TargetError, with the names that there are."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for point in entry_points(group=ENTRY_POINT, name=name):
        found = point.load()
        if not isinstance(found, Target):
            raise TargetError(f"no target in entry point {name!r} ({point.value} is no qcompile.targets.Target)")
        return found
    raise TargetError(f"no target {name!r}; there are {', '.join(target_names())}")
