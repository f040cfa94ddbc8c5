"""Where integers go depends on what is known of the inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import qcompile
from qcompile.api.placing import Placing
from qcompile.api.request import Request
from qcompile.pipeline import Pipeline
from qcompile.plan import Code, Reason
from qcompile.runtime import ONE_THREAD
from qcompile.targets import find_target

TEXT = """<ir_version: 10, opset_import: ["": 21]> g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel) [conv2] b = Conv(a, kernel) [conv3] c = Conv(b, kernel) y = Elu(c)
}"""
REQUEST = Request(
    find_target("cpu"), "auto", None, None, (), None, None, Pipeline.default(), ONE_THREAD, False, (), "synthetic"
)


@pytest.mark.parametrize(
    ("unknown", "given_back", "integers"),
    [
        ({"x"}, {"conv1"}, {"conv1", "conv2", "conv3"}),
        ({"x"}, {"conv1", "conv2"}, {"conv1", "conv3"}),
        ({"x"}, {"conv1", "conv2", "conv3"}, set()),
        (set(), {"conv1"}, {"conv2", "conv3"}),
    ],
)
def test_codes_bound_an_input_that_may_be_of_any_size(
    unknown: set[str], given_back: set[str], integers: set[str]
) -> None:
    kernel = ir.tensor(np.ones((4, 4, 1, 1), np.float32), name="kernel")
    proto = ir.to_proto(ir.from_onnx_text(TEXT, initializers=[kernel]))
    model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
    request = replace(REQUEST, unknown_inputs=frozenset(unknown))
    placing = Placing(model, request, {"x": np.zeros((1, 4, 8, 8), np.float32)})
    kept = dict.fromkeys(given_back, Reason(Code.KEPT_FOR_SPEED))
    assert set(placing.with_floats(kept).unit_names) == integers


def test_what_has_no_range_stays_float_all_the_same() -> None:
    """Of a branch that no sample took nothing was seen."""
    ones = ", ".join(["1"] * 16)
    model = ir.from_onnx_text(
        f"""<ir_version: 10, opset_import: ["": 21]> g (float[1,4,8,8] x, bool c) => (float[1,4,8,8] y) {{
          y = If (c) <
            then_branch = t () => (float[1,4,8,8] u) <float[4,4,1,1] k = {{{ones}}}>
              {{ a = Conv(x, k)  b = Conv(a, k)  u = Elu(b) }},
            else_branch = e () => (float[1,4,8,8] v) <float[4,4,1,1] m = {{{ones}}}>
              {{ d = Conv(x, m)  f = Conv(d, m)  v = Elu(f) }}
          >
        }}"""
    )
    result = qcompile.compile(model, effort="fast", format="qoperator", warn=False)
    assert result.status == "compiled"
