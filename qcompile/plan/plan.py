"""The plan: what will be done, as data. Calibration and decisions write it; quantize and lower only read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from qcompile.plan.reason import Reason
from qcompile.quant import QuantParams

IO_TYPES = ("float", "quantized")
"""What inputs and outputs can be; with `quantized`, those that are quantized become 8-bit ones."""


class Form(StrEnum):
    """How a node computes."""

    FLOAT = "float"
    INTEGER = "integer"
    """8-bit in, 8-bit out."""
    INTEGER_TO_FLOAT = "integer-to-float"
    """8-bit in, float out: the product is dequantized by the kernel itself."""
    DYNAMIC = "dynamic"
    """As integer-to-float, with the input's parameters taken from its own range at every run."""


@dataclass(frozen=True)
class Decision:
    """What one node becomes; a node that stays float says why."""

    form: Form
    reason: Reason | None = None

    @property
    def is_integer(self) -> bool:
        """Whether the node computes on integers."""
        return self.form is not Form.FLOAT


@dataclass
class Plan:
    """Decisions by node name, quantization parameters by value name.

    `nodes` holds every node of the canonical graph that was decided on. `values` holds the parameters of activations
    (scalar scale and zero point); values that share parameters hold equal ones. `weights` holds those of constant
    inputs, by (node name, input index), since a weight may be read by several nodes, each with scales of its own.
    """

    target: str
    format: str = "qoperator"
    bits: int = 8
    io_type: str = "float"
    """One of IO_TYPES."""
    nodes: dict[str, Decision] = field(default_factory=dict)
    values: dict[str, QuantParams] = field(default_factory=dict)
    weights: dict[tuple[str, int], QuantParams] = field(default_factory=dict)
    migrations: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By what each channel of a value is divided, a float32 number above 0 for each, by value name: what makes the
    value does it, what reads it makes up for it. `weights`, `values` and `bias_shifts` are those of the model after."""
    bias_shifts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """What is added to the bias of a node, a float32 number for each channel, by node name."""
    roundings: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """By how many codes a weight differs from rounding to nearest, by (node name, input index): int8, C order, packed
    by zlib. What has none is rounded to nearest."""
    segments: dict[str, int] = field(default_factory=dict)
    """Into how many segments, each of 8 bits, the range of a node's output is cut, by node name. What is not cut has
    one; only floats may read what is."""
    substitutes: tuple[str, ...] = ()
    """Names of the lowering passes that may put cheaper equivalents in the place of integer operators."""
    notes: dict[str, str] = field(default_factory=dict)
    """How the plan came about (observer, number of samples, ...); kept in the file, read by no pass."""

    def is_integer(self, node: str | None) -> bool:
        """Whether the node of this name computes on integers."""
        decision = self.nodes.get(node or "")
        return decision is not None and decision.is_integer

    def reads_codes(self, node: str | None) -> bool:
        """Whether the node of this name reads activations quantized with parameters of the plan."""
        return self.is_integer(node) and self.nodes[node or ""].form is not Form.DYNAMIC

    def makes_codes(self, node: str | None) -> bool:
        """Whether what the node of this name makes are codes, with parameters of the plan."""
        return self.is_integer(node) and self.nodes[node or ""].form is Form.INTEGER

    def stayed_float(self) -> list[tuple[str, Reason]]:
        """Name and reason of every decided node that stays float, in graph order."""
        return [(name, d.reason) for name, d in self.nodes.items() if not d.is_integer and d.reason]
