"""A model without its large weights is a valid one in which they are inputs."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from qcompile.ir import to_proto, weight_bytes, without_weights

W = np.ones((64, 2), np.float32)


def test_weights_of_bodies_too_become_inputs_and_small_ones_stay() -> None:
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[N,64] x, bool c) => (float[N,2] y, float[64,2] w) <int64[2] shape = {-1, 2}> {
          y = If (c) <
            then_branch = a () => (float[N,2] u) { u = MatMul(x, w) },
            else_branch = b () => (float[N,2] v) { m = MatMul(x, inner) v = Reshape(m, shape) }
          >
        }"""
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(W, "w"))
    proto.graph.node[0].attribute[1].g.initializer.append(onnx.numpy_helper.from_array(W, "inner"))
    model = ir.from_proto(proto)
    light = without_weights(model)
    assert [value.name for value in light.graph.inputs] == ["x", "c", "w", "inner"]
    assert weight_bytes(light) == 16
    assert [value.name for value in light.graph.outputs] == ["y", "w"]
    onnx.checker.check_model(to_proto(light))
    assert weight_bytes(model) == 2 * W.nbytes + 16
