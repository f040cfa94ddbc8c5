"""Results made by hand, as compile, validate and inspect return them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from qcompile.pipeline import PassResult, Step, Trace
from qcompile.plan import Code, Reason


@dataclass(frozen=True)
class Node:
    name: str
    op_type: str
    integer: bool
    macs: int = 0
    reason: Reason | None = None


@dataclass(frozen=True)
class Fidelity:
    name: str
    sqnr_db: float
    cosine: float = 0.999
    max_abs: float = 0.01
    agreement: float | None = None


@dataclass(frozen=True)
class Culprit:
    value: str = "conv_3_out"
    node: str = "conv_3"
    op_type: str = "Conv"
    of_weights: bool = False
    output: str = "boxes"
    share: float = 0.34
    tried: tuple[str, ...] = ("range by min-max",)
    in_float: tuple[str, ...] = ("conv_3", "conv_4")
    multiply_adds: float = 0.0741
    slower: float | None = 0.051
    option: str = "--exclude '^(conv_3|conv_4)$'"


@dataclass(frozen=True)
class Measured:
    name: str = "task.py:accuracy"
    reference: float = 0.8
    candidate: float = 0.79
    loss_pct: float = 1.25


@dataclass(frozen=True)
class Port:
    name: str
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Form:
    sqnr_db: float
    speed: float
    integer_nodes: int
    in_float: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compiled:
    status: str = "compiled"
    trace: Trace = field(default_factory=Trace)
    operators: tuple[Node, ...] = ()
    fidelity: tuple[Fidelity, ...] = ()
    quantized_io: tuple[Port, ...] = ()
    held_back: int = 16
    samples: int = 128
    size_before: int = 900_000
    size_after: int = 250_000
    warnings: tuple[str, ...] = ()
    requires: str = "onnxruntime >= 1.22, IR version 10"
    exact_on: tuple[str, ...] = ("x86-64 with VNNI", "arm64")
    speed: float | None = 2.18
    tuned_for: str = "a processor (avx512-vnni), 1 thread"
    culprits: tuple[Culprit, ...] = ()
    front: tuple[Form, ...] = ()
    metric: Measured | None = None


@dataclass(frozen=True)
class Validated:
    outputs: tuple[Fidelity, ...]
    samples: int = 128
    metric: Measured | None = None


@dataclass(frozen=True)
class Inspected:
    operators: tuple[Node, ...]
    op_counts: dict[str, int]
    quantized: str | None = None
    opset: int = 13
    ir_version: int = 7
    producer: str = "pytorch 2.9"
    inputs: tuple[str, ...] = ("x: float32[batch,3,32,32]",)
    outputs: tuple[str, ...] = ("y: float32[batch,10]",)
    parameters: int = 224_000
    size: int = 901_505


NODES = (
    *(Node(f"conv_{i}", "Conv", True, 1_000_000) for i in range(27)),
    Node("relu", "Relu", True, 0),
    Node("softmax_1", "Softmax", False, 0, Reason(Code.NO_INTEGER_KERNEL, "Softmax")),
    Node("erf_2", "Erf", False, 0, Reason(Code.NO_INTEGER_KERNEL, "Erf")),
    Node("head", "Gemm", False, 50_000, Reason(Code.EXCLUDED, "head")),
)
STEPS = (
    Step("canonicalize", "fold-batchnorm", 0.25, PassResult(9)),
    Step("lower", "fuse-qgemm", 0.001, PassResult(0, (("head", Reason(Code.RULE_DECLINED, "alpha is 2")),))),
)
COMPILED = Compiled(
    trace=Trace(STEPS),
    operators=NODES,
    fidelity=(Fidelity("logits", 38.25, agreement=1.0), Fidelity("boxes", 21.5)),
    warnings=("one thing to know",),
)


@pytest.fixture
def compiled() -> Callable[..., Compiled]:
    """A compile of 31 nodes, 28 of them on integers; fields can be given."""
    return lambda **changes: replace(COMPILED, **changes)


@pytest.fixture
def make() -> Callable[[str], Any]:
    """The classes above by name: tests cannot import this file."""
    return lambda name: globals()[name]


@pytest.fixture
def rendered() -> Callable[[RenderableType], list[str]]:
    """The lines that a pipe gets to see."""

    def render(text: RenderableType) -> list[str]:
        out = StringIO()
        Console(file=out, width=100, highlight=False, markup=False, emoji=False).print(text, crop=False)
        return [line.rstrip() for line in out.getvalue().splitlines()]

    return render
