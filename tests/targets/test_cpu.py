"""The table of onnxruntime's CPU provider: what it takes, and why it does not take the rest."""

from __future__ import annotations

from typing import Any

import pytest

import qcompile.passes.lower as lower
from qcompile.passes.lower.integers import Lowering
from qcompile.plan import Code, Form, Reason
from qcompile.targets import NodeFacts, OpEntry, Role, find_target

IMAGE, KERNEL, MATRIX, VECTOR = (1, 3, 8, 8), (4, 3, 3, 3), (8, 4), (4,)


def facts(op_type: str, *shapes: Any, constants: tuple[int, ...] = (), **more: Any) -> NodeFacts:
    """Facts of a node with float inputs of these shapes; `dtypes` and attributes by name."""
    dtypes = more.pop("dtypes", ("FLOAT",) * len(shapes))
    outputs, zeros = more.pop("outputs", 1), frozenset(more.pop("zeros", ()))
    return NodeFacts(op_type, more, tuple(shapes), frozenset(constants), tuple(dtypes), outputs, zeros)


TAKEN = [
    facts("Conv", IMAGE, KERNEL, constants=(1,)),
    facts("Conv", IMAGE, KERNEL, VECTOR, constants=(1, 2)),
    facts("Conv", (None, None, None), (4, 3, 3), constants=(1,)),
    facts("Conv", IMAGE, KERNEL, constants=(1,), dtypes=(None, "FLOAT")),
    facts("Gemm", (1, 8), MATRIX, constants=(1,)),
    facts("Gemm", (1, 8), MATRIX, VECTOR, constants=(1, 2), alpha=1.0, beta=1.0, transA=0),
    facts("MatMul", (1, 5, 8), MATRIX, constants=(1,)),
    facts("MatMul", None, MATRIX, constants=(1,)),
    facts("LSTM", (20, 1, 64), (1, 512, 64), (1, 512, 128), constants=(1, 2), hidden_size=128, layout=0),
    facts("LSTM", None, (2, 512, 64), (2, 512, 128), constants=(1, 2), direction="bidirectional"),
    facts("Add", IMAGE, IMAGE),
    facts("Mul", IMAGE, (), constants=(1,)),
    facts("Concat", IMAGE, IMAGE, axis=1),
    facts("ConvTranspose", IMAGE, (3, 4, 4, 4), constants=(1,), strides=(2, 2), pads=(1, 1, 1, 1), group=1),
    facts("AveragePool", IMAGE, kernel_shape=(3, 3)),
    facts("AveragePool", (None, 3, None, None), kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=1),
    facts("AveragePool", IMAGE, kernel_shape=(2, 2), strides=(2, 2), ceil_mode=1),
    facts("Resize", IMAGE, None, (4,), mode="nearest", dtypes=("FLOAT", "ABSENT", "FLOAT")),
    facts("MaxPool", IMAGE, kernel_shape=[2, 2]),
    facts("Clip", IMAGE, (), (), constants=(1, 2)),
    facts("Reshape", IMAGE, (2,), dtypes=("FLOAT", "INT64")),
    facts("Pad", IMAGE, (8,), dtypes=("FLOAT", "INT64")),
    facts("Pad", IMAGE, (8,), (), dtypes=("FLOAT", "INT64", "FLOAT"), zeros=(2,)),
    facts("Pad", IMAGE, (8,), (), dtypes=("FLOAT", "INT64", "FLOAT"), mode="reflect"),
    facts("Where", IMAGE, IMAGE, (), dtypes=("BOOL", "FLOAT", "FLOAT"), zeros=(2,)),
    facts("Where", IMAGE, (), IMAGE, dtypes=("BOOL", "FLOAT", "FLOAT"), zeros=(1,)),
]

REFUSED = [
    (facts("Erf", IMAGE), Code.NO_INTEGER_KERNEL, "Erf"),
    (facts("Conv", IMAGE, KERNEL), Code.ACTIVATION_WEIGHT, "Conv"),
    (facts("Conv", None, KERNEL, constants=(1,)), Code.UNSUPPORTED_FORM, "rank unknown"),
    (facts("Conv", IMAGE, KERNEL, VECTOR, constants=(1,)), Code.UNSUPPORTED_FORM, "bias is computed"),
    (
        facts("Conv", IMAGE, KERNEL, constants=(1,), dtypes=("FLOAT16", "FLOAT16")),
        Code.NOT_FLOAT,
        "input 0 is FLOAT16",
    ),
    (facts("Gemm", (1, 8), MATRIX, constants=(1,), alpha=0.5), Code.UNSUPPORTED_FORM, "alpha, beta or transA"),
    (facts("Gemm", (8, 1), MATRIX, constants=(1,), transA=1), Code.UNSUPPORTED_FORM, "alpha, beta or transA"),
    (facts("Gemm", (1, 8), MATRIX, VECTOR, constants=(1,)), Code.UNSUPPORTED_FORM, "bias is computed"),
    (facts("Gemm", (2, 8), MATRIX, (2, 4), constants=(1, 2)), Code.UNSUPPORTED_FORM, "bias is no vector"),
    (facts("MatMul", (1, 8), MATRIX), Code.ACTIVATION_WEIGHT, "MatMul"),
    (facts("MatMul", (2, 1, 8), (2, 8, 4), constants=(1,)), Code.UNSUPPORTED_FORM, "weight is no matrix"),
    (facts("LSTM", None, (1, 508, 8), (1, 508, 127), constants=(1, 2)), Code.UNSUPPORTED_FORM, "hidden size below 128"),
    (facts("LSTM", None, (1, 512, 8), (1, 512, 128), constants=(1, 2), layout=1), Code.UNSUPPORTED_FORM, "layout 1"),
    (facts("LSTM", None, (512, 8), (512, 128), constants=(1, 2)), Code.UNSUPPORTED_FORM, "not of rank 3"),
    (facts("LSTM", None, (1, 512, 8), (1, 512, 128), constants=(1,)), Code.ACTIVATION_WEIGHT, "LSTM"),
    (facts("Add", IMAGE, IMAGE, dtypes=("INT64", "INT64")), Code.NOT_FLOAT, "input 0 is INT64"),
    (facts("Concat", IMAGE, IMAGE, dtypes=("FLOAT", "DOUBLE")), Code.NOT_FLOAT, "input 1 is DOUBLE"),
    (facts("ConvTranspose", IMAGE, (3, 4, 2, 2), constants=(1,), group=3), Code.UNSUPPORTED_FORM, "grouped"),
    (facts("ConvTranspose", IMAGE, (3, 4, 2), constants=(1,)), Code.UNSUPPORTED_FORM, "not 2-d"),
    (facts("ConvTranspose", IMAGE, (3, 4, 2, 2), constants=(1,), strides=(1, 2)), Code.UNSUPPORTED_FORM, "not 2-d"),
    (facts("ConvTranspose", IMAGE, (3, 4, 2, 2), constants=(1,), pads=(0, 2, 0, 0)), Code.UNSUPPORTED_FORM, "pads"),
    (facts("ConvTranspose", IMAGE, (3, 4, 2, 2), constants=(1,), output_shape=(9, 9)), Code.UNSUPPORTED_FORM, "pads"),
    (facts("AveragePool", (1, None, 8, 8), kernel_shape=(3, 3)), Code.UNSUPPORTED_FORM, "channels unknown"),
    (facts("AveragePool", IMAGE, kernel_shape=(3, 3), pads=(1,) * 4), Code.UNSUPPORTED_FORM, "does not count"),
    (facts("AveragePool", IMAGE, kernel_shape=(3, 3), strides=(3, 3), ceil_mode=1), Code.UNSUPPORTED_FORM, "cut"),
    (facts("AveragePool", (1, 3, None, 8), kernel_shape=(2, 2), ceil_mode=1), Code.UNSUPPORTED_FORM, "cut"),
    (facts("Pad", IMAGE, (8,), (), dtypes=("FLOAT", "INT64", "FLOAT")), Code.UNSUPPORTED_FORM, "another number than 0"),
    (facts("Where", IMAGE, IMAGE, (), dtypes=("BOOL", "FLOAT", "FLOAT")), Code.UNSUPPORTED_FORM, "one 0"),
    (facts("Resize", IMAGE, mode="linear"), Code.UNSUPPORTED_FORM, "only nearest neighbours"),
    (facts("MaxPool", IMAGE, outputs=2), Code.UNSUPPORTED_FORM, "indices"),
    (facts("Clip", IMAGE, (), (), constants=(1,)), Code.UNSUPPORTED_FORM, "bounds are computed"),
]


@pytest.mark.parametrize("node", TAKEN, ids=lambda node: node.op_type)
def test_taken(node: NodeFacts) -> None:
    assert isinstance(find_target("cpu").supports(node), OpEntry)


@pytest.mark.parametrize(("node", "code", "detail"), REFUSED, ids=[f"{f.op_type}-{d}" for f, _, d in REFUSED])
def test_refused(node: NodeFacts, code: Code, detail: str) -> None:
    reason = find_target("cpu").supports(node)
    assert isinstance(reason, Reason)
    assert reason.code == code
    assert detail in reason.detail


@pytest.mark.parametrize(
    ("node", "axis"),
    [
        (facts("Conv", IMAGE, KERNEL, constants=(1,)), 0),
        (facts("ConvTranspose", IMAGE, (3, 4, 2, 2), constants=(1,)), 1),
        (facts("MatMul", (1, 8), MATRIX, constants=(1,)), 1),
        (facts("Gemm", (1, 8), MATRIX, constants=(1,)), 1),
        (facts("Gemm", (1, 8), (4, 8), constants=(1,), transB=1), 0),
        (facts("LSTM", None, (1, 512, 8), (1, 512, 128), constants=(1, 2)), 1),
    ],
)
def test_channel_axis_of_the_weight(node: NodeFacts, axis: int) -> None:
    entry = find_target("cpu").supports(node)
    assert isinstance(entry, OpEntry)
    assert entry.weight_axis is not None
    assert entry.weight_axis(node) == axis


def test_products_can_give_floats_and_recurrent_ones_must() -> None:
    table = find_target("cpu").table
    assert {op for op, entry in table.items() if Form.INTEGER_TO_FLOAT in entry.forms} == {"Gemm", "MatMul"}
    assert {op for op, entry in table.items() if entry.role is Role.WEIGHTED} == {
        "Conv",
        "ConvTranspose",
        "Gemm",
        "LSTM",
        "MatMul",
    }
    assert {op for op, entry in table.items() if entry.joins_floats} == {"LSTM"}


def test_every_operator_of_the_table_has_a_lowering() -> None:
    kinds = [getattr(lower, name) for name in lower.__all__]
    lowered = {op for kind in kinds if issubclass(kind, Lowering) and not kind.domain for op in kind.ops}
    assert set(find_target("cpu").table) == lowered


def test_xnnpack_takes_a_part_of_it() -> None:
    cpu, xnnpack = find_target("cpu"), find_target("xnnpack")
    assert set(xnnpack.table) <= set(cpu.table)
    assert xnnpack.formats == ("qdq",)
    assert xnnpack.activation_dtype == "int8"
    assert not xnnpack.measured
