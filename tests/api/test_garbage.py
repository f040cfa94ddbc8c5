"""Dead graphs are freed by what they hold."""

from __future__ import annotations

import gc

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.api import garbage
from qcompile.api.garbage import Garbage, rare_collections

TEXT = '<ir_version: 10, opset_import: ["": 21]> g (float[4] x) => (float[4] y) { y = Add(x, w) }'


def test_a_collection_as_soon_as_much_may_hang_on_dead_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    collected = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(True))
    model = ir.from_onnx_text(TEXT, initializers=[ir.tensor(np.ones(4, np.float32), name="w")])
    monkeypatch.setattr(garbage, "MOST", 2 * (16 + garbage.NODE))
    dead = Garbage()
    for expected in (0, 0, 1, 1, 2):
        dead.free()
        assert len(collected) == expected
        dead.add(model)


def test_the_collector_is_as_it_was_once_all_compiles_have_ended() -> None:
    before = gc.get_threshold()
    first, second = rare_collections(), rare_collections()
    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] > before[0]
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] > before[0]
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_a_collector_that_is_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
