"""Which outputs are the next values of states."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from qcompile.calibrate.implied import Implied, State
from qcompile.pipeline import Feed
from qcompile.runtime import Session


def returned_states(model: ir.Model, implied: Mapping[str, Implied], session: Session, sample: Feed) -> dict[str, str]:
    """For outputs: the input that they feed in the next sample, a state of the same type and shape.

    Shapes are those of a run on the sample, so a cache that grows is no such state. Where more outputs have the type
    and shape than states, the last ones are taken: models give their answers first.
    """
    types = {value.name: value.dtype for value in (*model.graph.inputs, *model.graph.outputs)}
    made = dict(zip(session.outputs, session.run(sample), strict=True))
    states = [name for name, meaning in implied.items() if meaning == State()]
    found: dict[str, str] = {}
    for kind in dict.fromkeys((types[name], sample[name].shape) for name in states):
        into = [name for name in states if (types[name], sample[name].shape) == kind]
        alike = [name for name, array in made.items() if (types[name], array.shape) == kind]
        if len(alike) >= len(into):
            found |= dict(zip(alike[-len(into) :], into, strict=True))
    return found
