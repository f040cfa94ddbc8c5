"""One place for constants: the initializers of the graph that reads them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveInitializersFromInputsPass

from qcompile.errors import ModelError
from qcompile.ir import is_op, nodes, unpack_weights
from qcompile.pipeline import Context, Pass, PassResult, Preserves

_UNLISTED_WEIGHTS = 4
"""IR version since which a weight need not be listed as an input."""


@dataclass(frozen=True)
class LiftConstants(Pass):
    """Turn Constant nodes and weights listed as inputs into plain initializers.

        g (float[2] x, float[2] w) => (float[2] y)      g (float[2] x) => (float[2] y)
          <float[2] w = {1, 2}>                           <float[2] w = {1, 2}, float[2] k = {3, 4}>
        {                                           ->  {
          k = Constant <value_floats = [3, 4]> ()
          t = Add(x, w)                                   t = Add(x, w)
          y = Mul(t, k)                                   y = Mul(t, k)
        }                                               }

    In bodies too; an initializer stays in the graph of its Constant. A Constant that is itself an output stays.
    Before IR version 4 every weight had to be listed as an input, and exporters went on listing them all: the weights
    are what gets quantized, so nobody can be allowed to feed others. Where only some are listed, that is meant: they
    are inputs with a default, and stay. Preserves outputs exactly.
    """

    name = "lift-constants"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Lift, in the main graph and in the bodies. Raises ModelError for a constant in sparse form."""
        listed = [value for value in model.graph.inputs if value.is_initializer()]
        have_to_be = model.ir_version < _UNLISTED_WEIGHTS or len(listed) == len(model.graph.initializers)
        lifted = lift_constant_nodes(model)
        if have_to_be:
            RemoveInitializersFromInputsPass()(model)
        model.ir_version = max(model.ir_version, _UNLISTED_WEIGHTS)
        return PassResult(lifted + len(listed) * have_to_be)


def lift_constant_nodes(model: ir.Model) -> int:
    """Make initializers of the Constant nodes alone, and arrays of all weights; returns how many were nodes."""
    before = _constants(model)
    try:
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    except ValueError as error:
        raise ModelError(f"unreadable Constant node in the model ({error}); export the value dense") from error
    unpack_weights(model)
    return before - _constants(model)


def _constants(model: ir.Model) -> int:
    return sum(is_op(node, "Constant") for node in nodes(model))
