"""`--verify-each` notices what a pass breaks, and names the pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import ModelError
from qcompile.pipeline import Context, Pass, PassResult, Pipeline, Preserves, VerifyEach
from qcompile.runtime import run_as_written

HEAD = '<ir_version: 10, opset_import: ["": 21]>'
TEXT = HEAD + "g (float[2] x) => (float[2] y, int64 best) { [abs] y = Abs(x) [best] best = ArgMax <keepdims = 0> (y) }"
Change = Callable[[ir.Model], None]


class Apply(Pass):
    """Does what it is given."""

    name = "apply"

    def __init__(self, change: Change, preserves: Preserves = Preserves.ROUNDING) -> None:
        self.change = change
        self.preserves = preserves  # type: ignore[misc]

    def run(self, model: ir.Model, context: Context) -> PassResult:
        self.change(model)
        return PassResult(1)


def verified(*changes: Change, preserves: Preserves = Preserves.ROUNDING, text: str = TEXT, runs: bool = True) -> None:
    model = ir.from_onnx_text(text)
    feed = {"x": np.array([-1.0, 2.0], np.float32)}
    context = Context(feed=feed, run=run_as_written) if runs else Context()
    passes: list[tuple[str, Pass]] = [("canonicalize", Apply(change, preserves)) for change in changes]
    Pipeline(passes).run(model, context, [VerifyEach(model, context)])


def nothing(model: ir.Model) -> None:
    pass


def rename_output(model: ir.Model) -> None:
    model.graph.outputs[0].name = "z"


def swap_outputs(model: ir.Model) -> None:
    model.graph.outputs[:] = list(model.graph.outputs)[::-1]


def retype_input(model: ir.Model) -> None:
    model.graph.inputs[0].dtype = ir.DataType.DOUBLE


def forget_shape(model: ir.Model) -> None:
    model.graph.outputs[0].shape = None


def add_input(model: ir.Model) -> None:
    model.graph.inputs.append(ir.Value(name="more", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([2])))


@pytest.mark.parametrize("change", [rename_output, swap_outputs, retype_input, forget_shape, add_input])
def test_the_interface(change: Change) -> None:
    with pytest.raises(ModelError, match=r"^pass apply changed the model's inputs or outputs$"):
        verified(nothing, change)


def empty_name(model: ir.Model) -> None:
    model.graph.node(0).name = ""


def no_name(model: ir.Model) -> None:
    model.graph.node(0).name = None


def same_name(model: ir.Model) -> None:
    model.graph.node(1).name = "abs"


@pytest.mark.parametrize(("change", "name"), [(empty_name, ""), (no_name, ""), (same_name, "abs")])
def test_node_names(change: Change, name: str) -> None:
    with pytest.raises(ModelError, match=rf"^pass apply left node name '{name}' empty or twice$"):
        verified(change)


def unknown_attribute(model: ir.Model) -> None:
    model.graph.node(0).attributes["speed"] = ir.AttrInt64("speed", 9)


def unknown_op(model: ir.Model) -> None:
    model.graph.node(0).op_type = "Quicken"


def unsorted(model: ir.Model) -> None:
    best = model.graph.node(1)
    model.graph.remove(best)
    model.graph.insert_before(model.graph.node(0), best)


@pytest.mark.parametrize("change", [unknown_attribute, unknown_op, unsorted])
def test_an_invalid_model(change: Change) -> None:
    with pytest.raises(ModelError, match=r"^pass apply left an invalid model \(.+\)$") as caught:
        verified(change)
    assert "\n" not in str(caught.value)


def negate(model: ir.Model) -> None:
    model.graph.node(0).op_type = "Neg"


def to_argmin(model: ir.Model) -> None:
    model.graph.node(1).op_type = "ArgMin"


@pytest.mark.parametrize("preserves", [Preserves.EXACT, Preserves.ROUNDING])
def test_changed_numbers(preserves: Preserves) -> None:
    with pytest.raises(ModelError, match=r"^pass apply changed the outputs by 2 of their largest value$"):
        verified(negate, preserves=preserves)


def test_changed_integers() -> None:
    with pytest.raises(ModelError, match=r"^pass apply changed the outputs by inf of"):
        verified(to_argmin)


def test_quantization_may_change_numbers_once() -> None:
    verified(negate, preserves=Preserves.QUANTIZED)
    with pytest.raises(ModelError):
        verified(rename_output, preserves=Preserves.QUANTIZED)


def test_observers_may_add_outputs() -> None:
    def add_output(model: ir.Model) -> None:
        model.graph.outputs.append(model.graph.inputs[0])

    verified(add_output, nothing, preserves=Preserves.INTERFACE)


def test_without_a_runtime_numbers_are_not_compared() -> None:
    verified(negate, runs=False)
    with pytest.raises(ModelError):
        verified(rename_output, runs=False)


def test_nan_that_was_there_before_is_no_change() -> None:
    text = HEAD + "g (float[2] x) => (float[2] y) { [log] y = Log(x) }"
    verified(nothing, text=text, preserves=Preserves.EXACT)
    with pytest.raises(ModelError, match=r"^pass apply changed the outputs"):
        verified(negate, text=text)


def test_a_model_that_changes_nothing_passes() -> None:
    verified(nothing, nothing, preserves=Preserves.EXACT)
