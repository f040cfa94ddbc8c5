"""onnxruntime's own quantizers in the forms that its documentation recommends for CPUs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from benchmarks.networks import Feed

Peer = Callable[[Path, Sequence[Feed], Path], None]
"""Reads a float model and calibration feeds, writes a quantized model."""


class _Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self.feeds, None)


def static_qdq(model: Path, feeds: Sequence[Feed], out: Path) -> None:
    """quantize_static to QuantizeLinear and DequantizeLinear, which the runtime fuses while it loads."""
    _static(model, feeds, out, QuantFormat.QDQ)


def static_qoperator(model: Path, feeds: Sequence[Feed], out: Path) -> None:
    """quantize_static to integer operators."""
    _static(model, feeds, out, QuantFormat.QOperator)


def dynamic(model: Path, feeds: Sequence[Feed], out: Path) -> None:
    """quantize_dynamic: matrix products find the range of their input at every run."""
    with _prepared(model) as prepared:
        quantize_dynamic(prepared, out, per_channel=True, weight_type=QuantType.QInt8)


PEERS: dict[str, Peer] = {"static QDQ": static_qdq, "static QOperator": static_qoperator, "dynamic": dynamic}


def _static(model: Path, feeds: Sequence[Feed], out: Path, form: QuantFormat) -> None:
    with _prepared(model) as prepared:
        quantize_static(
            prepared,
            out,
            _Reader(feeds),
            quant_format=form,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


@contextlib.contextmanager
def _prepared(model: Path) -> Iterator[Path]:
    """The model after quant_pre_process, which leaves files behind where it runs."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        quant_pre_process(model, "prepared.onnx")
        yield Path(folder) / "prepared.onnx"
