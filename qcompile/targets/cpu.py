"""onnxruntime's CPU provider: unsigned activations, signed per-channel weights, QOperator form."""

from __future__ import annotations

from qcompile.plan import Form
from qcompile.targets.convolution import is_pointwise, segments, summed_first
from qcompile.targets.prices import X86
from qcompile.targets.table import NodeFacts, OpEntry, Role, Target, Trial
from qcompile.targets.windows import averages_whole_windows, channels_are_known, cut_by_pads, spreads_square_blocks

_BOTH = (Form.INTEGER, Form.INTEGER_TO_FLOAT)
_CLAMPS = ("Relu", "Clip")

LSTM_PAYS_FROM = 128
"""Hidden size from which integer LSTMs were measured to be faster on a CPU with VNNI: sequences 1.2 to 1.3 times with
128, 2.1 to 2.3 with 256, 10 with 512, against 0.65 with 32; single steps 5 times with 512."""


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


def _weights_have_directions(facts: NodeFacts) -> bool:
    return all(len(facts.shape(index) or ()) == 3 for index in (1, 2))


def _hidden_size_pays(facts: NodeFacts) -> bool:
    recurrence = facts.shape(2) or (None,)
    return (recurrence[-1] or 0) >= LSTM_PAYS_FROM


def _is_time_major(facts: NodeFacts) -> bool:
    return not facts.attributes.get("layout")


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


def _pads_with_codes(facts: NodeFacts) -> bool:
    is_constant = str(facts.attributes.get("mode", "constant")) == "constant"
    return not is_constant or not facts.has(2) or 2 in facts.zeros


def _puts_zeros(facts: NodeFacts) -> bool:
    return len(facts.zeros & {1, 2}) == 1


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
        weights=(1,),
        bias=2,
        weight_axis=lambda facts: 0,
        inner_axis=summed_first,
        absorbs=_CLAMPS,
        gives_floats=is_pointwise,
        segments=segments,
        needs=((_rank_is_known, "rank unknown"), (_bias_is_constant, "bias is computed")),
    ),
    "ConvTranspose": OpEntry(
        Role.WEIGHTED,
        weights=(1,),
        bias=2,
        weight_axis=lambda facts: 1,
        inner_axis=lambda facts: 0,
        absorbs=_CLAMPS,
        fuses_qdq=False,
        needs=(
            (_bias_is_constant, "bias is computed"),
            (spreads_square_blocks, "not 2-d, grouped, dilated, or strides that differ"),
            (cut_by_pads, "its pads are no numbers below its kernel's size"),
        ),
    ),
    "Gemm": OpEntry(
        Role.WEIGHTED,
        forms=(*_BOTH, Form.DYNAMIC),
        weights=(1,),
        bias=2,
        weight_axis=_gemm_axis,
        inner_axis=lambda facts: 1 - _gemm_axis(facts),
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
        weights=(1,),
        weight_axis=lambda facts: 1,
        inner_axis=lambda facts: 0,
        absorbs=_CLAMPS,
        needs=((_weight_is_matrix, "weight is no matrix"),),
    ),
    "LSTM": OpEntry(
        Role.WEIGHTED,
        forms=(Form.DYNAMIC,),
        weights=(1, 2),
        weight_axis=lambda facts: 1,
        inner_axis=lambda facts: 2,
        fuses_qdq=False,
        needs=(
            (_weights_have_directions, "weights are not of rank 3"),
            (_hidden_size_pays, f"hidden size below {LSTM_PAYS_FROM}, where it is not faster"),
            (_is_time_major, "layout 1"),
        ),
    ),
    "Add": OpEntry(Role.ELEMENTWISE, activations=(0, 1), absorbs=_CLAMPS),
    "Mul": OpEntry(Role.ELEMENTWISE, activations=(0, 1), absorbs=_CLAMPS),
    "LeakyRelu": OpEntry(Role.ELEMENTWISE),
    "Sigmoid": OpEntry(Role.ELEMENTWISE),
    "GlobalAveragePool": OpEntry(Role.ELEMENTWISE),
    "AveragePool": OpEntry(
        Role.ELEMENTWISE,
        fuses_qdq=False,
        needs=(
            (channels_are_known, "number of channels unknown"),
            (averages_whole_windows, "padding does not count, or windows are cut"),
        ),
    ),
    "HardSwish": OpEntry(Role.ELEMENTWISE, fuses_qdq=False, knee=lambda facts: 3.0),
    "HardSigmoid": OpEntry(
        Role.ELEMENTWISE, fuses_qdq=False, knee=_hard_sigmoid_knee, needs=((_is_centred, "not centred at 0.5"),)
    ),
    "Concat": OpEntry(Role.JOIN, activations=None),
    "Pad": OpEntry(Role.MOVE, fuses_qdq=False, needs=((_pads_with_codes, "it pads with another number than 0"),)),
    "Where": OpEntry(
        Role.MOVE,
        activations=(1, 2),
        fuses_qdq=False,
        needs=((_puts_zeros, "it does not choose between values and one 0"),),
    ),
    **MOVES,
}

CPU = Target(
    name="cpu",
    description="onnxruntime's CPU provider on this kind of machine; right on any",
    table=TABLE,
    formats=("qoperator", "qdq"),
    is_host=True,
    prices=X86,
    trials=(Trial("clamp-softmax", "Softmax"), Trial("shift-zero-point", "Conv", feature="amx-int8")),
    substitutes=(
        "pool-before-activation",
        "spread-blocks",
        "widen-groups",
        "route-channels",
        "pad-channels",
        "fold-stem",
        "split-products",
    ),
    exact_on=("x86-64 with VNNI", "arm64"),
)
