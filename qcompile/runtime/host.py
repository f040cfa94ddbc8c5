"""The machine that this runs on, as far as it decides which kernels are fast."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_KERNEL_FLAGS = {
    "amx_int8": "amx-int8",
    "avx2": "avx2",
    "avx512_vnni": "avx512-vnni",
    "avx512f": "avx512",
    "avx_vnni": "avx-vnni",
    "avx_vnni_int8": "avx-vnni-int8",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
}
"""Flag as the kernel of Linux writes it -> name of the instruction set."""


@dataclass(frozen=True)
class Host:
    """Architecture, processor and the instruction sets that integer kernels are chosen by."""

    architecture: str
    processor: str
    features: frozenset[str]
    """Empty where the system does not tell."""

    def __str__(self) -> str:
        sets = ", ".join(sorted(self.features))
        return f"{self.processor or self.architecture}{f' ({sets})' if sets else ''}"


@cache
def host() -> Host:
    """This machine; instruction sets are known on Linux."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    present = set(flags.group(1).split()) if flags else set()
    return Host(
        platform.machine(),
        model.group(1).strip() if model else platform.processor(),
        frozenset(name for flag, name in _KERNEL_FLAGS.items() if flag in present),
    )
