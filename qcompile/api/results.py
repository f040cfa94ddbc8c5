"""What the functions return: results and reports as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir as ir

from qcompile.decide import FrontPoint
from qcompile.ir import data_folder, save_model, write_bytes
from qcompile.pipeline import Trace
from qcompile.plan import Plan, Reason, interface_params
from qcompile.quant import OutputFidelity
from qcompile.verify import Culprit, MetricResult


@dataclass(frozen=True)
class NodeReport:
    """What became of one compute node of the canonical graph."""

    name: str
    op_type: str
    integer: bool
    macs: int
    reason: Reason | None = None


@dataclass(frozen=True)
class QuantizedPort:
    """An 8-bit input or output, which stands for scale * (code - zero_point)."""

    name: str
    dtype: str
    scale: float
    zero_point: int


@dataclass
class CompileResult:
    """The compiled model and everything that is known about it."""

    status: str
    """`compiled`, `already-quantized` or `nothing-to-quantize`."""
    model: ir.Model
    plan: Plan | None = None
    trace: Trace = field(default_factory=Trace)
    operators: tuple[NodeReport, ...] = ()
    fidelity: tuple[OutputFidelity, ...] = ()
    samples: int = 0
    held_back: int = 0
    size_before: int = 0
    size_after: int = 0
    warnings: tuple[str, ...] = ()
    requires: str = ""
    exact_on: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    """The quantizations that cost the outputs most, the worst first, with what would make them exact."""
    metric: MetricResult | None = None
    """The metric that was asked for, on the float model and on the result."""
    front: tuple[FrontPoint, ...] = ()
    """Accuracy and speed of the forms that no other beats in both, the fastest first; with effort `max` only."""
    speed: float | None = None
    """Latency of the float model over that of the result, on this host and one sample; None if nothing was timed."""
    tuned_for: str = ""
    """What the choice of forms rests on: this host, where it was timed, or the target's table, or a plan."""
    external_data: bool = False
    """Whether the source has weights in other files, and the result will have them so."""
    original: Callable[[], bytes] | None = None
    """Gives the bytes of the source where nothing was to be done: they are copied."""

    @property
    def stayed_float(self) -> list[tuple[str, Reason]]:
        """Name and reason of every compute node that stayed float."""
        return [(node.name, node.reason) for node in self.operators if node.reason is not None]

    @property
    def quantized_io(self) -> tuple[QuantizedPort, ...]:
        """The inputs and outputs that became 8-bit, as `io_type` asked for."""
        found = interface_params(self.model.metadata_props) if self.status == "compiled" else {}
        return tuple(
            QuantizedPort(name, str(p.zero_point.dtype), float(p.scale), int(p.zero_point)) for name, p in found.items()
        )

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise of the lowest output, in dB; inf where nothing was quantized."""
        return min((output.sqnr_db for output in self.fidelity), default=float("inf"))

    def save(self, path: str | Path) -> None:
        """Write the model; a byte copy of the source where nothing was to be done and its weights need not move."""
        stays = not self.external_data or data_folder(self.model) == Path(path).resolve().parent
        if self.original is not None and stays:
            write_bytes(Path(path), self.original())
        else:
            save_model(self.model, path, external=self.external_data)
