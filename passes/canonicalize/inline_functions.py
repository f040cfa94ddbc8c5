"""Model-local functions put where they are called; onnx_ir's inliner behind a wall."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from qcompile.errors import ModelError
from qcompile.ir import nodes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.pipeline import Context, Pass, PassResult, Preserves

_CALLER = "qcompile.caller"
_INNER_NAME = "qcompile.inner_name"


@dataclass(frozen=True)
class InlineFunctions(Pass):
    """Replace calls of model-local functions by their bodies.

        [block] y = local.Act(x)    ->  [block/gate] t = Sigmoid(x)
                                        [block/out] y = Mul(x, t)
        Act (a) => (b) { [gate] t = Sigmoid(a)  [out] b = Mul(a, t) }

    Nodes are named `caller/inner`, nested calls `outer/caller/inner`. A function written for another opset is taken
    as the model's where none of its operators changed in between; else it is a ModelError, as are functions that call
    themselves. Function domains are no longer imported. Preserves outputs exactly.
    """

    name = "inline-functions"
    preserves = Preserves.EXACT

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Inline every call, innermost functions first, and drop all functions."""
        if not model.functions:
            return PassResult()
        domains = {domain for domain, _, _ in model.functions}
        calls = 0
        for identifier in _innermost_first(model):
            function = model.functions[identifier]
            _match_opset(function, model)
            _separate_outputs(function)
            calls += _inline(function, model)
        model.functions.clear()
        for domain in domains - {node.domain for node in nodes(model)}:
            model.opset_imports.pop(domain, None)
        NameNodes().run(model, context)
        return PassResult(calls)


def _innermost_first(model: ir.Model) -> list[ir.OperatorIdentifier]:
    callees = {
        identifier: sorted({node.op_identifier() for node in function.all_nodes()} & model.functions.keys())
        for identifier, function in model.functions.items()
    }
    try:
        return list(graphlib.TopologicalSorter(callees).static_order())
    except graphlib.CycleError as error:
        names = ", ".join(repr(name) for _, name, _ in dict.fromkeys(error.args[1]))
        raise ModelError(f"functions {names} call themselves (no end to inlining); export without functions") from error


def _match_opset(function: ir.Function, model: ir.Model) -> None:
    """Take the function as written for the model's versions; ModelError if one of its operators differs between."""
    local = {domain for domain, _, _ in model.functions}
    for domain, version in function.opset_imports.items():
        wanted = model.opset_imports.setdefault(domain, version)
        if version == wanted:
            continue
        for node in function.all_nodes():
            if node.domain == domain not in local and _since(node, version) != _since(node, wanted):
                raise ModelError(
                    f"function {function.name!r} uses {node.op_type} of opset {version}, the model is of opset {wanted}"
                    " (the operator changed in between); export with one opset, or without functions"
                )
        function.opset_imports[domain] = wanted


def _since(node: ir.Node, version: int) -> int | None:
    """The opset in which the operator got the form that it has at this version."""
    try:
        return int(onnx.defs.get_schema(node.op_type, version, node.domain).since_version)
    except onnx.defs.SchemaError:
        return None


def _separate_outputs(function: ir.Function) -> None:
    """The inliner renames what a function returns; where that is an input or returned twice, it must be a copy."""
    seen = set(function.inputs)
    for index, output in enumerate(function.outputs):
        if output in seen:
            copy = ir.node("Identity", [output], name=f"copy_{index}")
            copy.outputs[0].name = f"{output.name}_copy_{index}"
            function.append(copy)
            function.outputs[index] = copy.outputs[0]
        seen.add(output)


def _inline(function: ir.Function, model: ir.Model) -> int:
    """Inline all calls of one function, which calls none itself. Metadata carries the names through the inliner."""
    calls = [node for node in _all_nodes(model) if node.op_identifier() == function.identifier()]
    for call in calls:
        call.metadata_props[_CALLER] = call.name or function.name
        call.resize_outputs(len(function.outputs))  # a call may leave trailing outputs out, the inliner may not
    for node in function.all_nodes():
        node.metadata_props[_INNER_NAME] = node.name or node.op_type
    try:
        InlinePass(criteria=lambda candidate: candidate is function)(model)
    except ValueError as error:
        raise ModelError(f"cannot inline function {function.name!r} ({error}); export without functions") from error
    for node in _all_nodes(model):
        caller, inner = node.metadata_props.pop(_CALLER, None), node.metadata_props.pop(_INNER_NAME, None)
        if caller is not None and inner is not None:
            node.name = f"{caller}/{inner}"
    return len(calls)


def _all_nodes(model: ir.Model) -> Iterator[ir.Node]:
    yield from nodes(model)
    for function in model.functions.values():
        yield from function.all_nodes()
