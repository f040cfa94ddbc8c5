"""The lowered model held against its QDQ reference, operator by operator on the same inputs.

The QDQ model is cut at every 8-bit value: what its QuantizeLinear makes becomes an output, what its DequantizeLinear
reads becomes an input. Fed with the 8-bit values that the lowered model really had, each unit is judged alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import constant, is_op
from qcompile.runtime import Feed, Session

ALLOWED_STEPS = 1
ALLOWED_SHARE = 1e-3
"""At most one step on at most one value in a thousand: rounding ties, where float and integer arithmetic part.
QLinearAdd and QLinearMul round ties differently by themselves, on up to 5 % of random codes."""

TIES = frozenset({"Add", "HardSwish", "Mul"})


@dataclass(frozen=True)
class StepError:
    """How one 8-bit value of the lowered model differs from its reference."""

    value: str
    op_type: str
    steps: int
    share: float

    @property
    def is_within_contract(self) -> bool:
        """Whether the difference is rounding ties and no more."""
        return self.steps <= ALLOWED_STEPS and (self.share <= ALLOWED_SHARE or self.op_type in TIES)


def step_errors(reference: ir.Model, lowered: ir.Model, feed: Feed, threads: int = 1) -> list[StepError]:
    """Compare every 8-bit value that both models have, by name, on one feed. Both models are changed: pass copies."""
    made = {
        node.outputs[0].name: node for node in reference.graph if is_op(node, "QuantizeLinear") and node.outputs[0].name
    }
    actual = _values(lowered, set(made), feed, threads)
    _cut(reference, set(actual))
    session = Session(reference, optimize=False, threads=threads)
    expected = dict(zip(session.outputs, session.run({**feed, **actual}), strict=True))
    errors = []
    for name, codes in actual.items():
        wanted = expected.get(f"{name}{_EXPECTED}")
        if wanted is None or not codes.size:
            continue
        steps = np.abs(wanted.astype(np.int16) - codes.astype(np.int16))
        maker = made[name].inputs[0].producer()  # type: ignore[union-attr]
        op_type = _unit_op(maker)
        errors.append(StepError(name, op_type, int(steps.max()), float(np.mean(steps > 0))))
    return errors


def check_steps(reference: ir.Model, lowered: ir.Model, feed: Feed, threads: int = 1) -> None:
    """Raises ModelError, naming the worst value, if the lowered model parts from its reference by more than ties."""
    broken = [e for e in step_errors(reference, lowered, feed, threads) if not e.is_within_contract]
    if broken:
        worst = max(broken, key=lambda error: (error.steps, error.share))
        raise ModelError(
            f"integer kernel of {worst.op_type} parts from its reference at {worst.value!r} "
            f"(up to {worst.steps} steps on {100 * worst.share:.2f} % of the values); exclude that node"
        )


_EXPECTED = "__expected"


def _unit_op(node: ir.Node | None) -> str:
    """The op that a clamp belongs to, or the op itself."""
    while node is not None and is_op(node, "Relu", "Clip") and node.inputs[0] is not None:
        before = node.inputs[0].producer()
        if before is None or is_op(before, "DequantizeLinear"):
            break
        node = before
    return node.op_type if node is not None else "input"


def _values(model: ir.Model, names: set[str | None], feed: Feed, threads: int) -> dict[str, np.ndarray]:
    """The 8-bit values of these names that the model makes."""
    found = [value for node in model.graph for value in node.outputs if value.name in names]
    model.graph.outputs.extend(value for value in found if not value.is_graph_output())
    session = Session(model, threads=threads)
    results = dict(zip(session.outputs, session.run(feed), strict=True))
    return {value.name: results[value.name] for value in found if value.name}


def _cut(model: ir.Model, names: set[str]) -> None:
    """Make every named 8-bit value an input for its readers and an output, renamed, of its maker."""
    graph = model.graph
    graph.outputs.clear()
    for node in list(graph):
        value = node.outputs[0]
        if not is_op(node, "QuantizeLinear") or value.name not in names or constant(node.inputs[0]) is not None:
            continue
        given = ir.Value(name=value.name, type=value.type, shape=value.shape)
        value.replace_all_uses_with(given)
        value.name = f"{value.name}{_EXPECTED}"
        graph.inputs.append(given)
        graph.outputs.append(value)
