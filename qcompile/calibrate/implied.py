"""What a model's nodes say about its inputs: which values make sense where there are no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from qcompile.calibrate.picture_inputs import Picture, find_picture
from qcompile.calibrate.sources.spec import InputSpec
from qcompile.calibrate.uses import AFFINE, MULTIPLIES, SAME_VALUES, Use, crossings, other_operand, shape_of, uses_of
from qcompile.calibrate.waveform_inputs import PADDED, Waveform, is_waveform
from qcompile.ir import attribute, is_op, scalar_constant


@dataclass(frozen=True)
class Tokens:
    """Whole numbers that pick rows of a table: from 0 to below `rows`."""

    rows: int


@dataclass(frozen=True)
class Filled:
    """One number everywhere: the value a switch is compared with, 1 for masks, lengths and axes."""

    number: float


@dataclass(frozen=True)
class State:
    """What one step hands to the next; zeros at the start."""


@dataclass(frozen=True)
class Free:
    """Nothing is known but the type."""


Implied = Tokens | Filled | Picture | Waveform | State | Free


def implied_values(model: ir.Model, specs: Sequence[InputSpec]) -> dict[str, Implied]:
    """What the consumers of every input imply, by input name; bodies and functions are followed."""
    inner = crossings(model)
    values = {value.name: value for value in model.graph.inputs}
    found: dict[str, Implied] = {}
    for spec in specs:
        value = values[spec.name]
        uses = list(uses_of(value, SAME_VALUES, inner))
        if spec.dtype.kind == "b":
            found[spec.name] = Filled(1)
        elif picture := find_picture(spec, uses_of(value, SAME_VALUES | AFFINE, inner)):
            found[spec.name] = picture
        elif is_waveform(spec, uses_of(value, PADDED, inner), inner):
            found[spec.name] = Waveform()
        elif spec.dtype.kind == "f":
            found[spec.name] = _float(uses)
        else:
            found[spec.name] = _integer(uses)
    return found | {name: State() for name in _returned(model, specs) if found[name] == Free()}


def unknown_inputs(model: ir.Model, specs: Sequence[InputSpec]) -> frozenset[str]:
    """Names of the inputs of floats whose size no node tells."""
    sizeless = (name for name, implied in implied_values(model, specs).items() if _is_of_any_size(implied))
    floats = {spec.name for spec in specs if spec.dtype.kind == "f"}
    return frozenset(floats.intersection(sizeless))


def _is_of_any_size(implied: Implied) -> bool:
    return isinstance(implied, Free) or (isinstance(implied, Picture) and implied.span is None)


def _integer(uses: list[Use]) -> Implied:
    if tables := [rows for use in uses if (rows := _rows(use)) is not None]:
        return Tokens(min(tables))
    compared = [number for use in uses if (number := _compared_with(use)) is not None]
    if switch := next((number for number in compared if number not in (0, 1)), None):
        return Filled(switch)
    if compared or any(_is_size(use) or _is_mask(use) for use in uses):
        return Filled(1)
    return Free()


def _float(uses: list[Use]) -> Implied:
    if any(use.at in _INITIAL_STATES.get(use.node.op_type, ()) for use in uses):
        return State()
    if any(_is_inverted_mask(use) for use in uses):
        return Filled(1)
    switch = next((number for use in uses if is_op(use.node, "Equal") and (number := _compared_with(use))), None)
    return Filled(switch) if switch else Free()


_INITIAL_STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}

_SIZES = {
    "ConstantOfShape": (0,), "Expand": (1,), "GRU": (4,), "LSTM": (4,), "Loop": (0,), "OneHot": (1,), "Pad": (1,),
    "Range": (0, 1, 2), "RNN": (4,), "ReduceMax": (1,), "ReduceMean": (1,), "ReduceSum": (1,), "Reshape": (1,),
    "Resize": (3,), "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,), "Trilu": (1,),
    "Unsqueeze": (1,),
}  # fmt: skip
"""Inputs that are a shape, a length, an axis or a count."""


def _is_size(use: Use) -> bool:
    return use.at in _SIZES.get(use.node.op_type, ())


def _rows(use: Use) -> int | None:
    """Rows of the table that the use picks from."""
    node = use.node
    if is_op(node, "OneHot") and use.at == 0:
        depth = scalar_constant(node.inputs[1])
        return None if depth is None else int(depth)
    if not (is_op(node, "Gather", "GatherElements") and use.at == 1) or node.inputs[0] is None:
        return None
    shape = shape_of(node.inputs[0])
    axis = attribute(node, "axis", 0)
    rows = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    return rows if isinstance(rows, int) and rows > 0 else None


def _compared_with(use: Use) -> float | None:
    if not is_op(use.node, "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        return None
    other = other_operand(use)
    return float(other.flat[0]) if other is not None and other.size else None


_FAR_BELOW = -1e3
"""A mask times less than this switches a score off."""


def _is_mask(use: Use) -> bool:
    """Whether the use asks true or false, or scales by it; as a factor of a product it is data."""
    node = use.node
    if is_op(node, "Cast"):
        target = ir.DataType(attribute(node, "to"))
        data = any(is_op(reader, *MULTIPLIES) for reader, _ in node.outputs[0].uses())
        return (target.is_floating_point() or target == ir.DataType.BOOL) and not data
    return is_op(node, "And") or (is_op(node, "Where") and use.at == 0) or _is_from_one(use) or _is_far_below(use)


def _is_from_one(use: Use) -> bool:
    return is_op(use.node, "Sub") and use.at == 1 and scalar_constant(use.node.inputs[0]) == 1


def _is_far_below(use: Use) -> bool:
    if not is_op(use.node, "Mul"):
        return False
    other = other_operand(use)
    return other is not None and other.size == 1 and float(other.flat[0]) <= _FAR_BELOW


def _is_inverted_mask(use: Use) -> bool:
    """(1 - mask) * -10000."""
    if not _is_from_one(use):
        return False
    return any(_is_far_below(Use(*reader)) for reader in use.node.outputs[0].uses())


def _returned(model: ir.Model, specs: Sequence[InputSpec]) -> list[str]:
    """Inputs after the first that come out again, in type and shape, beside other outputs."""
    outputs = [(value.dtype, _dims(value)) for value in model.graph.outputs]
    if len(outputs) < 2:
        return []
    names = {spec.name: spec.dtype.kind for spec in specs[1:]}
    values = [value for value in model.graph.inputs if names.get(value.name or "") == "f" and value.shape]
    return [value.name or "" for value in values if (value.dtype, _dims(value)) in outputs]


def _dims(value: ir.Value) -> tuple[int | str | None, ...] | None:
    if value.shape is None:
        return None
    return tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape)
