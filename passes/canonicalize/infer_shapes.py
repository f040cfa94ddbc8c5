"""Shapes and types of intermediate values; onnx_ir's inference behind a wall."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass, shape_inference

from qcompile.ir import graphs
from qcompile.passes.canonicalize.interface import kept_interface
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason


@dataclass(frozen=True)
class InferShapes(Pass):
    """Infer the shapes and types of intermediate values.

    ```
    g (float[N,3,8,8] x) => (...)       =>  <float[N,4,6,6] t>
    { t = Conv(x, w) ... }
    ```
    Shapes that were computed from shapes (Shape, Gather, Concat, Reshape) are followed. Where what the model declares
    of intermediate values contradicts the inference, the declarations are dropped and it is tried once more, leniently;
    if that fails too the model stays as it is, with a Reason. Declared inputs and outputs are never touched.
    Preserves outputs exactly.
    """

    name = "infer-shapes"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Infer; the changes are the values about which more is known."""
        before = _known(model)
        with kept_interface(model):
            failure = _infer(model, strict=True)
            if failure is not None:
                _forget(model)
                failure = _infer(model, strict=False)
            if failure is not None:
                _restore(before)
        changes = sum(before[value] != now for value, now in _known(model).items())
        declined = (("", Reason(Code.RULE_DECLINED, f"shape inference: {failure}")),) if failure else ()
        return PassResult(changes, declined)


_Known = dict[ir.Value, tuple[ir.TypeProtocol | None, ir.Shape | None]]


def _known(model: ir.Model) -> _Known:
    values = (value for graph in graphs(model) for node in graph for value in node.outputs)
    return {value: (value.type, value.shape) for value in values}


def _restore(known: _Known) -> None:
    for value, (declared_type, shape) in known.items():
        value.type, value.shape = declared_type, shape


def _forget(model: ir.Model) -> None:
    for value in _known(model):
        value.type = value.shape = None


def _infer(model: ir.Model, strict: bool) -> str | None:
    """Run the inference; the first line of its complaint where it failed. It fails by logging, and does nothing."""
    with _listening() as failures:
        try:
            ShapeInferencePass(check_type=strict, strict_mode=strict, data_prop=True)(model)
        except (ValueError, RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
            failures.append(error)
    return next(iter(str(failures[0]).splitlines()), type(failures[0]).__name__) if failures else None


@contextlib.contextmanager
def _listening() -> Iterator[list[BaseException]]:
    """Exceptions that the inference logs, kept from the user's log."""
    failures: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1]:
            failures.append(record.exc_info[1])
        return False

    shape_inference.logger.addFilter(keep)
    try:
        yield failures
    finally:
        shape_inference.logger.removeFilter(keep)
