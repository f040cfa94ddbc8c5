"""The form of a model that the runtime can run: the model itself, or what it computes in float32."""

from __future__ import annotations

import onnx_ir as ir

from qcompile.errors import ModelError
from qcompile.passes.canonicalize import ComputeInFloat32, InlineFunctions, LiftConstants, NameNodes
from qcompile.pipeline import Context
from qcompile.runtime import Runtime
from qcompile.verify import check_runnable


def runnable_form(model: ir.Model, runtime: Runtime) -> ir.Model:
    """The model, or its float32 form where the runtime lacks kernels for double or bfloat16. Raises ModelError."""
    try:
        check_runnable(model, runtime)
    except ModelError:
        form = model.clone()
        for step in (NameNodes(), InlineFunctions(), LiftConstants()):
            step.run(form, Context())
        if not ComputeInFloat32().run(form, Context()).changes:
            raise
        check_runnable(form, runtime)
        return form
    return model
