"""Random valid graphs: each compiles, loads, is finite and within the contract of its integers."""

from __future__ import annotations

import onnx
from hypothesis import HealthCheck, given, note, settings

from benchmarks.backend_outcomes import BAD
from benchmarks.graphs import Sample, samples
from benchmarks.random_graphs import judge

GRAPHS = 60


@settings(max_examples=GRAPHS, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples())
def test_a_random_graph(sample: Sample) -> None:
    onnx.checker.check_model(sample.model, full_check=True)
    note(onnx.printer.to_text(sample.model))
    verdict = judge(sample)
    assert verdict.kind not in BAD, verdict.detail
