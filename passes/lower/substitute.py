"""What a substitute is: a cheaper equivalent of integer operators, taken where the plan allows it."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import onnx_ir as ir

from qcompile.pipeline import Context, Pass, PassResult, Preserves


class Substitute(Pass):
    """A lowering that runs if the plan lists its name: its result is the same, so only speed decides about it."""

    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Substitute if the plan allows it."""
        assert context.plan is not None
        return self.substitute(model, context) if self.name in context.plan.substitutes else PassResult(0)

    @abstractmethod
    def substitute(self, model: ir.Model, context: Context) -> PassResult:
        """Put the equivalents in, in the main graph and in bodies."""
