"""What a model wants of a feed, and whether a feed is that: names, types, shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx_ir as ir

from qcompile.errors import CalibrationError, ModelError


class InputSpec(NamedTuple):
    """One input of a model. A dimension is a number, a symbol, or None (unknown); a shape of None has any rank.

    Type and shape of a sequence are those of its elements, whose feed is a list of arrays; an absent optional is None.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | str | None, ...] | None
    required: bool = True
    """Whether every sample must hold it; a state that is carried from sample to sample need not be there."""
    sequence: bool = False
    optional: bool = False

    @property
    def is_tensor(self) -> bool:
        """Whether the input is one array, and always there."""
        return not (self.sequence or self.optional)


class Shaped(Protocol):
    """An array, or what its header says."""

    @property
    def dtype(self) -> np.dtype: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class Form(NamedTuple):
    """Type and shape of an array that was not read yet."""

    dtype: np.dtype
    shape: tuple[int, ...]


Given = Shaped | list[Any] | None
"""What a sample holds for an input: an array, the arrays of a sequence, or nothing where the input is optional."""


def input_specs(model: ir.Model) -> list[InputSpec]:
    """The inputs that a feed must give, in order: weights that are listed as inputs are left out.

    Raises ModelError for an input that is neither a tensor nor a sequence of tensors, be it optional.
    """
    return [value_spec(value) for value in model.graph.inputs if value.name not in model.graph.initializers]


def value_spec(value: ir.Value) -> InputSpec:
    """Name, type and shape of an input or output. Raises ModelError where it is neither tensor nor sequence."""
    inner = value.type
    optional = isinstance(inner, ir.OptionalType)
    inner = inner.elem_type if isinstance(inner, ir.OptionalType) else inner
    sequence = isinstance(inner, ir.SequenceType)
    inner = inner.elem_type if isinstance(inner, ir.SequenceType) else inner
    if not isinstance(inner, ir.TensorType):
        kind = "input" if value.is_graph_input() else "output"
        raise ModelError(f"unusable {kind} {value.name!r} (not a tensor: {value.type}); export the model with tensors")
    shape = value.shape
    dims = None if shape is None else tuple(_dimension(d) for d in shape)
    return InputSpec(value.name or "", inner.dtype.numpy(), dims, sequence=sequence, optional=optional)


def check(specs: Sequence[InputSpec], arrays: Mapping[str, Given], where: str) -> None:
    """Compare one sample with the model's inputs. `where` is the file or sample that a message names.

    Raises CalibrationError for the first name, type or shape that does not fit.
    """
    wanted = [spec.name for spec in specs]
    for spec in specs:
        if spec.required and not spec.optional and arrays.get(spec.name) is None:
            raise CalibrationError(f"no array for input {spec.name!r} in {where} (it holds {_listed(arrays)})")
    for name in arrays:
        if name not in wanted:
            raise CalibrationError(f"unknown array {name!r} in {where} (the model's inputs: {_listed(wanted)})")
    for spec in specs:
        if spec.name in arrays:
            _check_given(spec, arrays[spec.name], where)


def fit(specs: Sequence[InputSpec], arrays: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The sample as the model takes it: checked, cast where that is safe, in the order of the inputs."""
    check(specs, arrays, where)
    with np.errstate(over="ignore"):  # an infinity is reported by who observes it, with tensor and sample
        return {spec.name: _fitted(spec, arrays[spec.name]) for spec in specs if spec.name in arrays}


def _fitted(spec: InputSpec, given: Any) -> Any:
    if given is None:
        return None
    if spec.sequence:
        return [np.asarray(array, dtype=spec.dtype, order="C") for array in given]
    return np.asarray(given, dtype=spec.dtype, order="C")


def _check_given(spec: InputSpec, given: Given, where: str) -> None:
    if given is None:
        return
    if isinstance(given, list) != spec.sequence:
        forms = ("one array", "a list of arrays")
        raise CalibrationError(
            f"wrong form of {spec.name!r} in {where} ({forms[not spec.sequence]}, the model wants "
            f"{forms[spec.sequence]}); give dicts in Python, or a folder of test_data_set_*"
        )
    for array in given if isinstance(given, list) else [given]:
        _check_one(spec, array, where)


def _check_one(spec: InputSpec, array: Shaped, where: str) -> None:
    if not _castable(array.dtype, spec.dtype):
        advice = "; convert it as the model was trained" if spec.dtype.kind == "f" else ""
        raise CalibrationError(
            f"wrong type of {spec.name!r} in {where} ({array.dtype}, the model wants {spec.dtype}){advice}"
        )
    if not fits(spec.shape, array.shape):
        raise CalibrationError(
            f"wrong shape of {spec.name!r} in {where} ({shown(array.shape)}, the model wants {shown(spec.shape or ())})"
        )


def _castable(given: np.dtype, wanted: np.dtype) -> bool:
    """Between floats always, otherwise without loss; never from whole numbers to floats.

    Raw pixels where a model expects scaled ones would give ranges that are wrong without a sign.
    """
    if given.kind == wanted.kind == "f":
        return True
    return np.can_cast(given, wanted, "safe") and (wanted.kind != "f")


def fits(wanted: Sequence[int | str | None] | None, given: Sequence[int]) -> bool:
    """Whether a shape has the rank and the fixed dimensions that are wanted."""
    if wanted is None:
        return True
    return len(wanted) == len(given) and all(
        not isinstance(want, int) or want == have for want, have in zip(wanted, given, strict=True)
    )


def shown(shape: Iterable[int | str | None]) -> str:
    """A shape for messages: `[batch,3,?,32]`."""
    return f"[{','.join('?' if dim is None else str(dim) for dim in shape)}]"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "nothing"


def _dimension(dim: int | ir.SymbolicDim) -> int | str | None:
    """A declared dimension; some exporters write -1 where it is open, or give all open ones the name `?`."""
    if isinstance(dim, int):
        return dim if dim >= 0 else None
    return dim.value if dim.value != "?" else None
