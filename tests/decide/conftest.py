"""Graphs from text, with types inferred as canonicalisation leaves them, and what was decided for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qcompile.decide import Placement
from qcompile.plan import Form

HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1, "org.example": 1]>'
Model = Callable[..., ir.Model]
Decided = Callable[[Placement], dict[str, str]]


@pytest.fixture
def model() -> Model:
    """`model(text, **arrays)`: a graph whose initializers are the arrays; `kernel` and `matrix` are always there."""

    def build(text: str, **arrays: np.ndarray) -> ir.Model:
        rng = np.random.default_rng(0)
        arrays = {
            "kernel": rng.normal(size=(4, 4, 1, 1)).astype(np.float32),
            "matrix": rng.normal(size=(4, 4)).astype(np.float32),
        } | arrays
        used = [ir.tensor(array, name=name) for name, array in arrays.items() if name in text]
        proto = ir.to_proto(ir.from_onnx_text(HEAD + text, initializers=used))
        return ir.from_proto(onnx.shape_inference.infer_shapes(proto))

    return build


@pytest.fixture
def decided() -> Decided:
    """`decided(placement)`: for each node its form or, where it stays float, the reason's code."""

    def read(placement: Placement) -> dict[str, str]:
        found = {}
        for name, decision in placement.nodes.items():
            assert (decision.form is Form.FLOAT) == (decision.reason is not None)
            found[name] = str(decision.reason.code if decision.reason else decision.form)
        return found

    return read
