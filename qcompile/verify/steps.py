"""The lowered model held against its QDQ reference, operator by operator on the same inputs.

The QDQ model is cut at every 8-bit value: what its QuantizeLinear makes becomes an output, what its DequantizeLinear
reads becomes an input. Fed with the 8-bit values that the lowered model really had, each unit is judged alone; so is
what integer products give out as floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import as_first_laid_out, constant, is_op
from qcompile.runtime import ONE_THREAD, Feed, Runtime, Session

ALLOWED_STEPS = 1
ALLOWED_SHARE = 1e-3
"""At most one step on at most one value in a thousand: rounding ties, where float and integer arithmetic part.
QLinearAdd and QLinearMul round ties differently by themselves, on up to 5 % of random codes; so does QLinearSoftmax,
which the runtime makes of a float Softmax between codes."""

TIES = frozenset({"Add", "HardSwish", "Mul", "Softmax"})


FLOAT_RESULTS = frozenset({"MatMulIntegerToFloat", "QGemm"})

APPROXIMATE = frozenset({"DynamicQuantizeLSTM"})
"""Operators that quantize inside, which no QDQ form spells out; what they make is taken as given."""


@dataclass(frozen=True)
class StepError:
    """How one 8-bit value of the lowered model, or one float result of its integers, differs from its reference."""

    value: str
    op_type: str
    steps: int
    share: float

    @property
    def is_within_contract(self) -> bool:
        """Whether the difference is rounding ties and no more."""
        return self.steps <= ALLOWED_STEPS and (self.share <= ALLOWED_SHARE or self.op_type in TIES)


def step_errors(reference: ir.Model, lowered: ir.Model, feed: Feed, runtime: Runtime = ONE_THREAD) -> list[StepError]:
    """Compare every such value that both models have, by name, on one feed. Both models are changed: pass copies."""
    makers = {node.outputs[0].name: node for node in reference.graph if is_op(node, "QuantizeLinear")}
    codes = {name: node.inputs[0] for name, node in makers.items()}
    found = {v.name for n in reference.graph if is_op(n, "DynamicQuantizeLinear") for v in n.outputs}
    found |= {v.name for n in lowered.graph if n.op_type in APPROXIMATE for v in n.outputs if v.name}
    floats = {v.name: v for node in reference.graph for v in node.outputs if v.name in _float_results(lowered)}
    actual = _values(lowered, {*codes, *floats, *found}, feed, runtime)
    if not actual:
        return []  # all integers lie in bodies
    _cut(reference, set(actual), {*codes, *found})
    rounded = [maker.inputs[0] for name, maker in makers.items() if name in actual]
    computed = dict.fromkeys(value for value in rounded if value is not None and value.producer() is not None)
    reference.graph.outputs.extend(value for value in computed if not value.is_graph_output())
    session = Session(reference, runtime, optimize=False)
    given = {name: array for name, array in actual.items() if name in codes or name in found}
    expected = given | dict(zip(session.outputs, session.run({**feed, **given}), strict=True))
    errors = []
    for name, array in actual.items():
        wanted = expected.get(f"{name}{_EXPECTED}")
        if wanted is None or not array.size or name in found:
            continue
        steps = _steps(wanted, array)
        if name in makers and makers[name].inputs[0] in computed:
            steps = np.where((steps == 1) & _is_tie(makers[name], expected), 0, steps)
        made = codes.get(name) or floats[name]
        errors.append(StepError(name, _unit_op(made.producer()), int(steps.max()), float(np.mean(steps > 0))))
    return errors


def check_steps(reference: ir.Model, lowered: ir.Model, feed: Feed, runtime: Runtime = ONE_THREAD) -> None:
    """Raises ModelError, naming the worst value, if the lowered model parts from its reference by more than ties."""
    broken = [e for e in step_errors(reference, lowered, feed, runtime) if not e.is_within_contract]
    if broken:
        worst = max(broken, key=lambda error: (error.steps, error.share))
        raise ModelError(
            f"integer kernel of {worst.op_type} parts from its reference at {worst.value!r} "
            f"(up to {worst.steps} steps on {100 * worst.share:.2f} % of the values); exclude that node"
        )


_EXPECTED = "__expected"


def _float_results(model: ir.Model) -> set[str | None]:
    """What integer products give out as floats, also if channels come back to their place behind them."""
    makers = [node for node in model.graph if node.op_type in FLOAT_RESULTS]
    makers += [use.node for node in makers for use in node.outputs[0].uses() if is_op(use.node, "Transpose")]
    return {v.name for node in makers for v in node.outputs if v.dtype == ir.DataType.FLOAT}


def _steps(wanted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Distances in codes; those of floats in 255ths of their span, all that 8 bits would tell apart."""
    if wanted.dtype.kind != "f":
        return np.abs(wanted.astype(np.int16) - actual.astype(np.int16))
    steps = np.abs(wanted - actual) * (255 / (float(np.ptp(wanted)) or 1.0))
    return np.asarray(np.rint(np.nan_to_num(steps, nan=255.0, posinf=255.0)))


TIE_WIDTH = 0.01
"""Steps around a tie within which the rounding of float32 sums decides which of two codes a value becomes."""


def _is_tie(quantize: ir.Node, expected: Mapping[str, np.ndarray]) -> np.ndarray:
    """Where the reference lies between two codes: small tensors and repeated values have more of it than a share."""
    value, scale = quantize.inputs[0], constant(quantize.inputs[1])
    assert value is not None
    assert scale is not None
    position = expected[value.name or ""] / scale.astype(np.float64)
    return np.asarray(np.abs(position - np.floor(position) - 0.5) < TIE_WIDTH)


def _unit_op(node: ir.Node | None) -> str:
    """The op that a clamp belongs to, or the op itself."""
    while node is not None and is_op(node, "Relu", "Clip") and node.inputs[0] is not None:
        before = node.inputs[0].producer()
        if before is None or is_op(before, "DequantizeLinear"):
            break
        node = before
    return node.op_type if node is not None else "input"


def _values(model: ir.Model, names: set[str | None], feed: Feed, runtime: Runtime) -> dict[str, np.ndarray]:
    """The values of these names that the model makes."""
    found = [value for node in model.graph for value in node.outputs if value.name in names]
    model.graph.outputs.extend(value for value in found if not value.is_graph_output())
    session = Session(model, runtime)
    results = dict(zip(session.outputs, session.run(feed), strict=True))
    return {value.name: as_first_laid_out(value, results[value.name]) for value in found if value.name}


def _cut(model: ir.Model, names: set[str], given: set[str | None]) -> None:
    """Make every named value an output, renamed; one that is given moreover an input for its readers."""
    graph = model.graph
    graph.outputs.clear()
    for node in list(graph):
        for value in node.outputs:
            if value.name not in names or (is_op(node, "QuantizeLinear") and constant(node.inputs[0]) is not None):
                continue
            if value.name in given:
                entering = ir.Value(name=value.name, type=value.type, shape=value.shape)
                value.replace_all_uses_with(entering)
                graph.inputs.append(entering)
            value.name = f"{value.name}{_EXPECTED}"
            graph.outputs.append(value)
