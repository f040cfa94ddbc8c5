"""A value that was only moved keeps a range when one of the products that read it is given back to float."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

import qcompile

RNG = np.random.default_rng(0)


def test_one_flattened_value_read_by_two_products() -> None:
    model = ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[N,6,16] x) => (float[N,7] y, float[N,7] z) <float[16,16] a, float[96,7] b, float[96,7] c> {
            h = MatMul(x, a)
            s = Sigmoid(x)
            m = Mul(h, s)
            f = Flatten(m)
            y = MatMul(f, b)
            z = MatMul(f, c)
        }""",
        initializers=[
            ir.tensor(RNG.normal(size=shape).astype(np.float32), name=name)
            for name, shape in {"a": (16, 16), "b": (96, 7), "c": (96, 7)}.items()
        ],
    )
    feeds = [{"x": RNG.normal(size=(2, 6, 16)).astype(np.float32)} for _ in range(8)]
    assert qcompile.compile(model, calib=feeds, format="qoperator").status == "compiled"
