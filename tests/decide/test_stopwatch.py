"""What was built for one plan serves every plan that becomes the same model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from qcompile.decide import Stopwatch
from qcompile.pipeline import Trace
from qcompile.pipeline.passes import PassResult
from qcompile.pipeline.pipeline import Step
from qcompile.plan import Plan
from qcompile.runtime import ONE_THREAD, Session

TEXT = '<ir_version: 10, opset_import: ["": 21]> g (float[4] x) => (float[4] y) { y = Neg(x) }'


def test_equal_plans_are_built_once() -> None:
    model, built = ir.from_onnx_text(TEXT), []

    def build(plan: Plan) -> tuple[ir.Model, Trace]:
        built.append(plan.substitutes)
        steps = [Step("lower", name, 0.0, PassResult(int(name == "fold"))) for name in ("fold", "pad")]
        return model, Trace(tuple(steps))

    feed = {"x": np.zeros(4, np.float32)}
    clock = Stopwatch(model, Session(model), feed, ONE_THREAD, build, Session)
    plan = Plan("cpu", substitutes=("fold", "pad"))
    assert clock.used(plan) == ("fold",)
    clock.file_bytes(replace(plan, notes={}))  # equal
    clock.file_bytes(replace(plan, substitutes=("fold",)))  # what found nothing to do is left out
    assert built == [("fold", "pad")]
    clock.file_bytes(replace(plan, substitutes=()))
    clock.file_bytes(replace(plan, notes={"observer": "mse"}))
    assert len(built) == 3
