"""onnxruntime's CPU provider: unsigned activations, signed per-channel weights, QOperator form."""

from __future__ import annotations

from qcompile.plan import Form
from qcompile.targets.table import NodeFacts, OpEntry, Role, Target

_BOTH = (Form.INTEGER, Form.INTEGER_TO_FLOAT)
_CLAMPS = ("Relu", "Clip")


def _is_plain_gemm(facts: NodeFacts) -> bool:
    return all(facts.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta")) and not facts.attributes.get(
        "transA"
    )


def _bias_is_constant(facts: NodeFacts) -> bool:
    return not facts.has(2) or 2 in facts.constants


def _bias_is_vector(facts: NodeFacts) -> bool:
    shape = facts.shape(2)
    return not facts.has(2) or (shape is not None and len(shape) == 1)


def _weight_is_matrix(facts: NodeFacts) -> bool:
    shape = facts.shape(1)
    return shape is not None and len(shape) == 2


def _rank_is_known(facts: NodeFacts) -> bool:
    return facts.shape(0) is not None


def _is_nearest(facts: NodeFacts) -> bool:
    return str(facts.attributes.get("mode", "nearest")) == "nearest" and "antialias" not in facts.attributes


def _has_no_indices(facts: NodeFacts) -> bool:
    return facts.outputs < 2


def _gemm_axis(facts: NodeFacts) -> int:
    return 0 if facts.attributes.get("transB") else 1


def _hard_sigmoid_knee(facts: NodeFacts) -> float:
    return float(0.5 / facts.attributes.get("alpha", 0.2))


def _is_centred(facts: NodeFacts) -> bool:
    return bool(facts.attributes.get("beta", 0.5) == 0.5 and facts.attributes.get("alpha", 0.2) > 0)


def _bounds_are_constant(facts: NodeFacts) -> bool:
    return all(i in facts.constants for i in (1, 2) if facts.has(i))


MOVES = {
    "Clip": OpEntry(Role.MOVE, fuses_qdq=False, needs=((_bounds_are_constant, "bounds are computed"),)),
    "DepthToSpace": OpEntry(Role.MOVE),
    "Expand": OpEntry(Role.MOVE),
    "Flatten": OpEntry(Role.MOVE),
    "Gather": OpEntry(Role.MOVE),
    "MaxPool": OpEntry(Role.MOVE, needs=((_has_no_indices, "its indices are read"),)),
    "Relu": OpEntry(Role.MOVE, fuses_qdq=False),
    "Reshape": OpEntry(Role.MOVE),
    "Resize": OpEntry(Role.MOVE, needs=((_is_nearest, "only nearest neighbours move 8-bit values unchanged"),)),
    "Slice": OpEntry(Role.MOVE),
    "SpaceToDepth": OpEntry(Role.MOVE),
    "Split": OpEntry(Role.MOVE),
    "Squeeze": OpEntry(Role.MOVE),
    "Tile": OpEntry(Role.MOVE),
    "Transpose": OpEntry(Role.MOVE),
    "Unsqueeze": OpEntry(Role.MOVE),
}

TABLE = {
    "Conv": OpEntry(
        Role.WEIGHTED,
        weight=1,
        bias=2,
        weight_axis=lambda facts: 0,
        absorbs=_CLAMPS,
        needs=((_rank_is_known, "rank unknown"), (_bias_is_constant, "bias is computed")),
    ),
    "Gemm": OpEntry(
        Role.WEIGHTED,
        forms=_BOTH,
        weight=1,
        bias=2,
        weight_axis=_gemm_axis,
        absorbs=_CLAMPS,
        needs=(
            (_is_plain_gemm, "alpha, beta or transA"),
            (_bias_is_constant, "bias is computed"),
            (_bias_is_vector, "bias is no vector"),
        ),
    ),
    "MatMul": OpEntry(
        Role.WEIGHTED,
        forms=(*_BOTH, Form.DYNAMIC),
        weight=1,
        weight_axis=lambda facts: 1,
        absorbs=_CLAMPS,
        needs=((_weight_is_matrix, "weight is no matrix"),),
    ),
    "Add": OpEntry(Role.ELEMENTWISE, activations=(0, 1), absorbs=_CLAMPS),
    "Mul": OpEntry(Role.ELEMENTWISE, activations=(0, 1), absorbs=_CLAMPS),
    "LeakyRelu": OpEntry(Role.ELEMENTWISE),
    "Sigmoid": OpEntry(Role.ELEMENTWISE),
    "GlobalAveragePool": OpEntry(Role.ELEMENTWISE),
    "HardSwish": OpEntry(Role.ELEMENTWISE, fuses_qdq=False, knee=lambda facts: 3.0),
    "HardSigmoid": OpEntry(
        Role.ELEMENTWISE, fuses_qdq=False, knee=_hard_sigmoid_knee, needs=((_is_centred, "not centred at 0.5"),)
    ),
    "Concat": OpEntry(Role.JOIN, activations=None),
    **MOVES,
}

CPU = Target(
    name="cpu",
    description="onnxruntime's CPU provider on this kind of machine; right on any",
    table=TABLE,
    formats=("qoperator", "qdq"),
    exact_on=("x86-64 with VNNI", "arm64"),
)
