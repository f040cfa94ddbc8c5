"""Which outputs are the next values of states."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qcompile.calibrate.implied import Implied, State
from qcompile.pipeline import Feed
from qcompile.runtime import Session


def returned_states(model: ir.Model, implied: Mapping[str, Implied], session: Session, sample: Feed) -> dict[str, str]:
    """For outputs, in order: the input that they feed in the next sample, a state of the same type and shape.

    Shapes are those of a run on the sample, so a cache that grows is no such state.
    """
    types = {value.name: value.dtype for value in (*model.graph.inputs, *model.graph.outputs)}
    made = dict(zip(session.outputs, session.run(sample), strict=True))
    found: dict[str, str] = {}
    for state in (name for name, meaning in implied.items() if meaning == State()):
        alike = (
            name
            for name, array in made.items()
            if name not in found and types[name] == types[state] and array.shape == sample[state].shape
        )
        if output := next(alike, None):
            found[output] = state
    return found
