"""The form of a model that the runtime can run: the model itself, or what it computes in float32 or a later opset."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.passes.canonicalize import ComputeInFloat32, InlineFunctions, LiftConstants, NameNodes, RaiseOpset
from qcompile.pipeline import Context
from qcompile.runtime import Runtime
from qcompile.verify import check_runnable


def runnable_form(model: ir.Model, runtime: Runtime) -> ir.Model:
    """The model; where the runtime has no kernels for double, bfloat16 or an old opset, a form that it can run.

    Raises ModelError, in the runtime's words on the model itself, where there is none.
    """
    try:
        check_runnable(model, runtime)
    except ModelError as refused:
        form = model.clone()
        for step in (NameNodes(), InlineFunctions(), LiftConstants()):
            step.run(form, Context())
        for change in (ComputeInFloat32(), RaiseOpset()):
            if _changed(form, change) and _is_runnable(form, runtime):
                return form
        raise refused
    return model


def _changed(form: ir.Model, change: ComputeInFloat32 | RaiseOpset) -> bool:
    try:
        return bool(change.run(form, Context()).changes)
    except ModelError:  # no such form
        return False


def _is_runnable(form: ir.Model, runtime: Runtime) -> bool:
    try:
        check_runnable(form, runtime)
    except ModelError:
        return False
    return True
