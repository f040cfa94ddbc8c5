"""How every operator is treated, written down from the tables that decide it.

    python benchmarks/operator_table.py

writes docs/operators.md anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx.defs import OpSchema

from qcompile.decide.storage import WEIGHT_AXES
from qcompile.ir import CONTRIB, quantized_form
from qcompile.passes import lower
from qcompile.targets import OpEntry, Role, find_target

DOCUMENT = Path(__file__).parents[1] / "docs" / "operators.md"
OPSET = 28
"""The opset whose operators are listed."""

REWRITTEN = {
    "AveragePool": ("use-global-pool",),
    "BatchNormalization": ("fold-batchnorm", "fold-batchnorm-forward", "split-batchnorm"),
    "Cast": ("remove-casts", "remove-noops"),
    "CastLike": ("remove-casts",),
    "Constant": ("lift-constants",),
    "ConstantOfShape": ("fold-constants",),
    "Div": ("fold-affine", "fold-batchnorm-forward"),
    "Dropout": ("remove-noops",),
    "Einsum": ("fold-einsum",),
    "Erf": ("recover-gelu",),
    "Exp": ("recover-softmax",),
    "Identity": ("remove-noops",),
    "Max": ("normalize-clip",),
    "Min": ("normalize-clip",),
    "OneHot": ("gather-one-hot",),
    "Pad": ("fold-pad",),
    "Range": ("fold-constants",),
    "ReduceMean": ("use-global-pool", "recover-layer-norm", "recover-instance-norm"),
    "ReduceSum": ("recover-softmax",),
    "Shape": ("fold-constants",),
    "Size": ("fold-constants",),
    "Sub": ("fold-affine", "fold-batchnorm-forward"),
    "Tanh": ("recover-gelu",),
    f"{CONTRIB}.FastGelu": ("recover-gelu",),
    f"{CONTRIB}.Gelu": ("recover-gelu",),
}
"""Operators that passes take out or turn into others, where they can, and those passes."""

SLOWER_ON_INTEGERS = ("AveragePool", "ConvTranspose", "Softmax")
"""Operators with an integer kernel that was measured to take longer than the float one."""

CONTRIB_OPS = (
    "Attention", "BiasAdd", "BiasGelu", "BiasSplitGelu", "CDist", "CropAndResize", "DecoderMaskedMultiHeadAttention",
    "DequantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "EmbedLayerNormalization", "ExpandDims",
    "FastGelu", "FusedConv", "FusedGemm", "FusedMatMul", "GatherBlockQuantized", "Gelu", "GridSample",
    "GroupQueryAttention", "Inverse", "MatMulBnb4", "MatMulIntegerToFloat", "MatMulNBits", "MoE", "MultiHeadAttention",
    "NhwcMaxPool", "QAttention", "QEmbedLayerNormalization", "QGemm", "QLinearAdd", "QLinearAveragePool",
    "QLinearConcat", "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid",
    "QLinearSoftmax", "QLinearWhere", "QuantizeLinear", "QuickGelu", "RotaryEmbedding", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
)  # fmt: skip
"""Operators of onnxruntime that models are seen to have."""

HEAD = f"""# Operators

How the target `cpu` treats every operator of ONNX (opset {OPSET}) and those of onnxruntime's own that models have.
Generated from the tables that decide it by `python benchmarks/operator_table.py`; do not edit.

- **quantized**: computes on 8-bit integers, in the forms named (`qcompile` words: `integer` is 8-bit in and out,
  `integer-to-float` 8-bit in and float out, `dynamic` the same with the input's range found at every run). Operators
  with weights (Conv, Gemm, LSTM, MatMul) are quantized wherever their weights are constant, others only between
  integers: converting for one of them alone costs more than it gives.
- **moves 8-bit values**: hands them on with its input's scale and zero point, between integers.
- **float**: computes as before. The last column says why, or where an operator that could be quantized stays float.

Operators that are not listed stay as they are, those of any other domain too.
"""


@dataclass(frozen=True)
class Operator:
    """What the table needs to know of an operator."""

    name: str
    """With its domain in front, if that is not the standard one."""
    makes_floats: bool = True
    has_inputs: bool = True
    has_bodies: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the document."""

    operator: str
    treatment: str
    passes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def __str__(self) -> str:
        cells = (self.operator, self.treatment, ", ".join(self.passes), "; ".join(self.limits))
        return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def document() -> str:
    """The text of docs/operators.md."""
    tables = [(f"ONNX, opset {OPSET}", standard()), (CONTRIB, (Operator(f"{CONTRIB}.{op}") for op in CONTRIB_OPS))]
    return HEAD + "".join(f"\n## {title}\n\n{_table(operators)}" for title, operators in tables)


def standard() -> Iterator[Operator]:
    """The operators of the standard domain, without deprecated ones."""
    newest: dict[str, OpSchema] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= OPSET:
            newest[schema.name] = max(newest.get(schema.name, schema), schema, key=lambda s: s.since_version)
    for name, schema in sorted(newest.items()):
        if not schema.deprecated:
            bodies = any(attribute.type == OpSchema.AttrType.GRAPH for attribute in schema.attributes.values())
            yield Operator(name, _makes_floats(schema), bool(schema.inputs), bodies)


def row(operator: Operator) -> Row:
    """How one operator is treated."""
    name = operator.name
    entry, rewriting = find_target("cpu").table.get(name), REWRITTEN.get(name, ())
    left = "float" if operator.makes_floats else "as it is"
    if entry is not None:
        return Row(name, _forms(name, entry), _lowerings(name), _limits(entry))
    if _is_quantized(name):
        return Row(name, "integers already", limits=("the model is handed on as it is",))
    if rewriting:
        return Row(name, f"rewritten where possible, else {left}", rewriting, (_why_float(operator),))
    if name in WEIGHT_AXES:
        return Row(name, "float, weights stored in 8 bits", ("store-weights",), (_why_float(operator),))
    if operator.has_bodies:
        return Row(name, "control flow, its bodies are compiled")
    return Row(name, left, limits=(_why_float(operator),))


def _table(operators: Iterable[Operator]) -> str:
    lines = ["| operator | treatment | passes | float where, or why |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(str(row(operator)) for operator in operators)]) + "\n"


def _forms(name: str, entry: OpEntry) -> str:
    treatment = "moves 8-bit values" if entry.role is Role.MOVE else f"quantized: {', '.join(entry.forms)}"
    return f"{treatment}; float with weights stored in 8 bits" if name in WEIGHT_AXES else treatment


def _lowerings(name: str) -> tuple[str, ...]:
    classes = [getattr(lower, public) for public in lower.__all__]
    return tuple(lowering.name for lowering in classes if name in getattr(lowering, "ops", ()) and not lowering.domain)


def _limits(entry: OpEntry) -> tuple[str, ...]:
    weights = ("a weight is computed",) if entry.weights else ()
    formats = () if entry.fuses_qdq else ("format qdq",)
    return (*weights, *(why for _, why in entry.needs), *formats)


def _is_quantized(name: str) -> bool:
    domain, _, op_type = name.rpartition(".")
    graph = ir.Graph([], [], nodes=[ir.node(op_type, [], domain=domain)])
    return quantized_form(ir.Model(graph, ir_version=10)) is not None


def _why_float(operator: Operator) -> str:
    if not operator.makes_floats:
        return "computes no floats"
    if not operator.has_inputs:
        return "reads nothing"
    return "its integer kernel is slower" if operator.name in SLOWER_ON_INTEGERS else "no integer kernel"


def _makes_floats(schema: OpSchema) -> bool:
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    return any("tensor(float)" in allowed.get(o.type_str, [o.type_str]) for o in schema.outputs)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
