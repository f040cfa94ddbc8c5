"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import onnx_ir as ir

from qcompile.pipeline.context import Context
from qcompile.plan import Reason


class Preserves(StrEnum):
    """What a pass keeps of the model's meaning; `--verify-each` holds it to that."""

    EXACT = "exact"
    """Outputs are equal bit by bit."""
    ROUNDING = "float-equal up to rounding"
    """Outputs differ by what reordering float arithmetic costs."""
    QUANTIZED = "within quantization error"
    """Outputs differ as the plan says."""
    INTERFACE = "outputs are added or removed"


@dataclass(frozen=True)
class PassResult:
    """How many places a pass changed, and where it saw its pattern but declined."""

    changes: int = 0
    declined: tuple[tuple[str, Reason], ...] = ()
    """(node name, why)."""


class Pass(ABC):
    """One rewrite of a model, in place.

    A subclass sets `name` (kebab case, an imperative) and has a docstring whose first line `qcompile passes` prints.
    Options are the fields of a frozen dataclass. `run` changes the model in place and leaves it valid and sorted.
    """

    name: ClassVar[str]
    preserves: ClassVar[Preserves] = Preserves.ROUNDING

    @abstractmethod
    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Rewrite the model in place and say what was done."""
