"""Validating: one model's outputs held against another's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qcompile.api.source import check_one_interface, open_source
from qcompile.calibrate import input_specs, open_feeds
from qcompile.errors import QCompileError
from qcompile.ir import Source
from qcompile.pipeline import Context, Pipeline
from qcompile.quant import OutputFidelity
from qcompile.runtime import Runtime, Session
from qcompile.verify import (
    FloatFaced,
    MetricFunction,
    MetricResult,
    Parted,
    Parts,
    compare,
    find_metric,
    output_parts,
    with_signal,
)


@dataclass(frozen=True)
class ValidationReport:
    """How near one model's outputs are to another's on the same feeds."""

    outputs: tuple[OutputFidelity, ...]
    samples: int
    metric: MetricResult | None = None
    """The metric that was asked for, on both models."""

    @property
    def sqnr_db(self) -> float:
        """Signal to noise of the lowest output, in dB."""
        return min((output.sqnr_db for output in self.outputs), default=float("inf"))

    @property
    def agreement(self) -> float | None:
        """Lowest share of equal decisions; None where no output is one."""
        return min((o.agreement for o in self.outputs if o.agreement is not None), default=None)


def validate(
    reference: Source,
    candidate: Source,
    *,
    data: Any,
    max_samples: int | None = None,
    preprocess: str | None = None,
    metric: MetricFunction | str | None = None,
    threads: int = 1,
    custom_op_library: Path | None = None,
) -> ValidationReport:
    """Compare two models on data: SQNR, cosine, largest difference and equal decisions of every output.

    Outputs that join values of different kinds are compared in parts, kind by kind.

    `data` is any form of DATA; `metric`, a function or `FILE.py:FUNC`, takes `run` (feed -> list of outputs), returns a
    number, higher is better, and is taken of both models. `custom_op_library` gives onnxruntime the operators of other
    domains; 8-bit inputs and outputs of `compile(..., io_type="quantized")` are compared as floats. Raises
    QCompileError in one line where a model, the data or the metric cannot be used, or the models have different inputs
    or outputs.
    """
    wanted = find_metric(metric) if metric is not None else None
    sources = open_source(reference), open_source(candidate)
    left, right = (source.model for source in sources)
    check_one_interface(*sources)
    feeds = open_feeds(data, input_specs(left), preprocess=preprocess, max_samples=max_samples)
    runtime = Runtime(threads, custom_op_library)
    one, other = (FloatFaced(Session(model, runtime), model.metadata_props) for model in (left, right))
    parts = with_signal(_parts(left), one, feeds)
    outputs = compare(Parted(one, parts), Parted(other, parts), feeds)
    return ValidationReport(outputs, len(feeds), wanted.compare(one, other) if wanted else None)


def _parts(model: ir.Model) -> dict[str, Parts]:
    """The parts of its outputs, as a compile sees them: once it is canonical. What cannot be made so has none."""
    try:
        canonical, _ = Pipeline.default().stage("canonicalize").run(model.clone(), Context())
    except QCompileError:
        return {}
    return output_parts(canonical)
