"""Without data, matrix products take the range of their input at run time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import qcompile
from qcompile import CompileResult, models
from qcompile.plan import Form

Feed = dict[str, np.ndarray]


@pytest.mark.parametrize(("with_data", "least_db"), [(False, 25), (True, 25)])
def test_products_of_the_encoder(
    with_data: bool, least_db: float, compiled: Callable[..., CompileResult], shipped_feeds: Callable[..., list[Feed]]
) -> None:
    path = models.path("encoder")
    result = compiled("encoder") if with_data else qcompile.compile(path, verify_each=True, format="qoperator")
    ops = Counter(node.op_type for node in result.model.graph)
    quantizers = ops["DynamicQuantizeLinear"] + ops["QuantizeLinear"]
    assert (ops["DynamicQuantizeLinear"] > 0) is not with_data
    assert 0 < quantizers < ops["MatMulIntegerToFloat"]  # queries, keys and values share one
    assert result.model.metadata_props["qcompile.calibration"] == ("data" if with_data else "synthetic")
    report = qcompile.validate(path, result.model, data=shipped_feeds("encoder"))
    assert report.sqnr_db > least_db
    assert report.outputs[0].agreement == 1


def test_a_form_without_dynamic_products_has_fixed_ranges() -> None:
    result = qcompile.compile(models.path("encoder"), target="xnnpack")
    assert result.plan is not None
    assert Form.DYNAMIC not in {decision.form for decision in result.plan.nodes.values()}
