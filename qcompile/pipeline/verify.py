"""The hook behind `--verify-each`: after every pass the model is sound, has its interface and its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.ir import graphs, to_proto, without_weights
from qcompile.pipeline.context import Context
from qcompile.pipeline.passes import Pass, Preserves

ROUNDING_ERROR = 1e-3
"""Largest difference, relative to the largest output, that reordered float32 arithmetic may cost in a deep net."""

SAME = 1e-5
"""What an exact rewrite may cost: another graph may run other kernels of the runtime, to the last bit."""


class VerifyEach:
    """Checks the model after each pass; raises ModelError that names the pass and what it broke."""

    def __init__(self, model: ir.Model, context: Context) -> None:
        self._interface = _interface(model)
        self._outputs = _outputs(model, context)

    def __call__(self, step: Pass, model: ir.Model, context: Context) -> None:
        if step.preserves is not Preserves.INTERFACE and _interface(model) != self._interface:
            raise ModelError(f"pass {step.name} changed the model's inputs or outputs")
        _check_sound(step, model)
        outputs = _outputs(model, context)
        if self._outputs is not None and outputs is not None:
            _check_equal(step, self._outputs, outputs)
        if step.preserves in (Preserves.QUANTIZED, Preserves.INTERFACE):
            self._outputs = outputs
            self._interface = _interface(model)


def _interface(model: ir.Model) -> list[tuple[str | None, str, str]]:
    inputs = [v for v in model.graph.inputs if not v.is_initializer()]  # a weight among the inputs may be lifted
    return [(v.name, str(v.type), str(v.shape)) for v in (*inputs, *model.graph.outputs)]


def _outputs(model: ir.Model, context: Context) -> list[np.ndarray] | None:
    if context.run is None or context.feed is None:
        return None
    return list(context.run(model, context.feed))


def _check_sound(step: Pass, model: ir.Model) -> None:
    seen: set[str] = set()
    for graph in graphs(model):
        for node in graph:
            name = node.name or ""
            if not name or name in seen:
                raise ModelError(f"pass {step.name} left node name {name!r} empty or twice")
            seen.add(name)
    try:
        onnx.checker.check_model(to_proto(without_weights(model)))
    except (onnx.checker.ValidationError, RuntimeError) as error:  # no copy can be made where nodes are not sorted
        raise ModelError(f"pass {step.name} left an invalid model ({str(error).splitlines()[0]})") from error


def _check_equal(step: Pass, before: list[np.ndarray], after: list[np.ndarray]) -> None:
    if step.preserves in (Preserves.QUANTIZED, Preserves.INTERFACE):
        return
    for old, new in zip(before, after, strict=True):
        if _form(old) != _form(new):
            raise ModelError(f"pass {step.name} changed an output from {_form(old)} to {_form(new)}")
        error = relative_error(old, new)
        bound = SAME if step.preserves is Preserves.EXACT else ROUNDING_ERROR
        if not error <= bound:
            raise ModelError(f"pass {step.name} changed the outputs by {error:.2g} of their largest value")


def _form(output: Any) -> str:
    if isinstance(output, list):
        return f"[{', '.join(map(_form, output))}]"
    return f"{output.dtype}{output.shape}" if isinstance(output, np.ndarray) else type(output).__name__


def relative_error(old: Any, new: Any) -> float:
    """Largest difference over the largest finite value of `old`; inf where NaN, infinities or whole numbers differ.

    Of sequences, which are lists of arrays, the largest error of their elements.
    """
    if isinstance(old, list) and isinstance(new, list):
        errors = (relative_error(*pair) for pair in zip(old, new, strict=True))
        return max(errors, default=0.0) if len(old) == len(new) else float("inf")
    if np.shape(old) != np.shape(new):
        return float("inf")
    if not isinstance(old, np.ndarray) or old.dtype.kind != "f":
        return 0.0 if np.array_equal(old, new) else float("inf")
    finite = np.isfinite(old)
    if not np.array_equal(old[~finite], new[~finite], equal_nan=True) or not np.isfinite(new[finite]).all():
        return float("inf")
    largest = float(np.max(np.abs(old[finite]), initial=0.0)) or 1.0
    difference = np.abs(old[finite].astype(np.float64) - new[finite].astype(np.float64))
    return float(np.max(difference, initial=0.0)) / largest
