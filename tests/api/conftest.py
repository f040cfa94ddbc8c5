"""Shipped models, compiled once for all tests that only look at the result, and small graphs with feeds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import onnx
import pytest

import qcompile
from qcompile import CompileResult, models

Feed = dict[str, np.ndarray]
Compiled = Callable[..., CompileResult]


@cache
def feeds(name: str, count: int = 16) -> list[Feed]:
    """The first calibration samples of a shipped model."""
    return list(islice(models.calibration(name), count))


@cache
def _compiled(name: str, **options: Any) -> CompileResult:
    given = {} if "target" in options else {"format": "qoperator"}  # no test waits for the clock
    return qcompile.compile(models.path(name), calib=feeds(name), **given | options)


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    """`compiled(name, **options)`: the result for a shipped model, made once; look, do not change."""
    return _compiled


@pytest.fixture(scope="session")
def shipped_feeds() -> Callable[..., list[Feed]]:
    """`shipped_feeds(name, count=16)`: calibration samples of a shipped model."""
    return feeds


@pytest.fixture
def conv_net() -> onnx.ModelProto:
    """Two convolutions with a Relu between them, open in batch, height and width."""
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[N,4,H,W] x) => (float[N,8,H,W] y) {
          [first] h = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
          [relu] r = Relu(h)
          [second] y = Conv(r, w2)
        }"""
    )
    rng = np.random.default_rng(0)
    for name, shape in (("w1", (8, 4, 3, 3)), ("b1", (8,)), ("w2", (8, 8, 1, 1))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    return model


@pytest.fixture
def conv_feeds() -> list[Feed]:
    """Samples for `conv_net`, of every batch size and shape."""
    rng = np.random.default_rng(1)
    shapes = [(1, 4, 8, 8), (3, 4, 5, 9), (2, 4, 1, 1), (1, 4, 16, 3)] * 3
    return [{"x": rng.normal(size=shape).astype(np.float32)} for shape in shapes]
