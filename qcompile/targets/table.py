"""What a target can compute on integers, as a table; the words it is written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from qcompile.plan import Code, Form, Reason
from qcompile.targets.prices import KernelPrices

Shape = tuple[int | None, ...]

WITHOUT_VNNI = "x86-64 without VNNI"
"""The class of CPUs on which integers are exact only if the weights keep pairs of products below 16 bits."""


@dataclass(frozen=True)
class NodeFacts:
    """What a table may ask about a node, as plain data. Unknown ranks are None, unknown dimensions too."""

    op_type: str
    attributes: Mapping[str, Any]
    shapes: tuple[Shape | None, ...]
    constants: frozenset[int]
    """Indexes of the inputs that are constant."""
    dtypes: tuple[str | None, ...] = ()
    """Names of the inputs' element types (`FLOAT`, `INT64`, ...), where known."""
    outputs: int = 1
    """How many outputs somebody reads."""
    zeros: frozenset[int] = frozenset()
    """Indexes of the inputs that are one constant number, 0."""

    def shape(self, index: int) -> Shape | None:
        """Shape of an input; None if it is absent or its rank unknown."""
        return self.shapes[index] if index < len(self.shapes) else None

    def has(self, index: int) -> bool:
        """Whether the input is present."""
        return index < len(self.dtypes) and self.dtypes[index] != "ABSENT"


class Role(StrEnum):
    """What an op does to the quantization parameters of what flows through it."""

    WEIGHTED = "weighted"
    """Multiplies by a constant weight; output parameters of its own."""
    ELEMENTWISE = "elementwise"
    """Computes on activations; output parameters of its own."""
    JOIN = "join"
    """Joins activations; inputs of like range share the output's parameters."""
    MOVE = "move"
    """Moves values about: input and output share parameters, the op itself runs on 8-bit values."""


Need = tuple[Callable[[NodeFacts], bool], str]
"""A test on a node and, for the reason, what it means that it failed."""


@dataclass(frozen=True)
class OpEntry:
    """How a target treats one op: role, forms in order of preference, and what the kernel demands."""

    role: Role
    forms: tuple[Form, ...] = (Form.INTEGER,)
    activations: tuple[int, ...] | None = (0,)
    """Indexes of the inputs that carry activations; None: all."""
    weights: tuple[int, ...] = ()
    """Indexes of the inputs that must be constant weights."""
    bias: int | None = None
    """Index of the bias that joins the int32 sums; none where the kernel adds it in float."""
    weight_axis: Callable[[NodeFacts], int] | None = None
    """Channel axis of the weights for per-channel scales."""
    inner_axis: Callable[[NodeFacts], int | None] | None = None
    """Axis of the weights that the kernel sums over first; None: one that adds no pairs of byte products."""
    absorbs: tuple[str, ...] = ()
    """Activation functions behind the op that its requantization clamps for free."""
    knee: Callable[[NodeFacts], float] | None = None
    """For piecewise functions: the input's codes must hit 0 and both +-knee, then pieces are clamps of codes."""
    gives_floats: Callable[[NodeFacts], bool] = lambda facts: False
    """Whether a node can be integer-to-float although `forms` lack it: exacter for readers of floats, not faster."""
    segments: Callable[[NodeFacts], int] = lambda facts: 1
    """Into how many segments of 8 bits an output that only floats read may be cut, to be that much finer."""
    fuses_qdq: bool = True
    """Whether the runtime fuses the op from QDQ form; else it is integer only where we write the integer op."""
    needs: tuple[Need, ...] = ()

    @property
    def joins_floats(self) -> bool:
        """Whether the op reads and makes floats in every form, its integers being inside."""
        return set(self.forms) == {Form.DYNAMIC}


@dataclass(frozen=True)
class Trial:
    """A substitute that pays on some machines and harms on others: taken only where the clock says so."""

    name: str
    op_type: str
    """The operator that it looks for."""
    feature: str = ""
    """The instruction set without which it is never worth trying."""


@dataclass(frozen=True)
class Target:
    """A place where models run: tables and options as plain data."""

    name: str
    description: str
    table: Mapping[str, OpEntry]
    formats: tuple[str, ...]
    """What can be emitted, preferred first: `qoperator`, `qdq`."""
    activation_dtype: str = "uint8"
    activation_symmetric: bool = False
    measured: bool = True
    """Whether the table was measured; else it was derived from sources."""
    is_host: bool = False
    """Whether it is the machine that compiles, so that the clock may decide."""
    prices: KernelPrices | None = None
    """What its kernels cost; None: its integers are what it is asked for."""
    substitutes: tuple[str, ...] = ()
    """Names of the lowering passes whose equivalents are cheaper here, or may be: what is timed has the last word."""
    saturates: bool = False
    """Whether some of its CPUs add pairs of byte products at 16 bits, so that weights have to keep below that."""
    trials: tuple[Trial, ...] = ()
    """Substitutes to be timed one by one."""
    exact_on: tuple[str, ...] = ()
    """CPU classes on which the integer kernels are exact."""
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    session_config: Mapping[str, str] = field(default_factory=dict)

    def supports(self, facts: NodeFacts, format_: str = "qoperator") -> OpEntry | Reason:
        """The entry for a node, or the reason why it stays float when such a format is emitted."""
        entry = self.table.get(facts.op_type)
        if entry is None or (format_ == "qdq" and not entry.fuses_qdq):
            return Reason(Code.NO_INTEGER_KERNEL, facts.op_type)
        indexes = range(len(facts.dtypes)) if entry.activations is None else entry.activations
        for index in indexes:
            if facts.has(index) and facts.dtypes[index] not in ("FLOAT", None):
                return Reason(Code.NOT_FLOAT, f"input {index} is {facts.dtypes[index]}")
        if not facts.constants.issuperset(entry.weights):
            return Reason(Code.ACTIVATION_WEIGHT, facts.op_type)
        for test, failure in entry.needs:
            if not test(facts):
                return Reason(Code.UNSUPPORTED_FORM, failure)
        return entry
