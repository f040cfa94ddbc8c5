"""Inputs and outputs of 8 bits, for devices that give and take them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from qcompile.ir import Names, constant, is_op, remove_dead, replace_value
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason, interface_metadata
from qcompile.quant import QuantParams


@dataclass(frozen=True)
class QuantizeInterface(Pass):
    """Give the model 8-bit inputs and outputs, where the plan asks for them.

    Before: `g (float[N,4] x) => (float[N,4] y) { x_q = Q(x, s, z)  ...  y = DQ(y_q, t, u) }`
    After:  `g (uint8[N,4] x) => (uint8[N,4] y) { ...  y = ... }`

    Names stay; scales and zero points go into the metadata, and the feed of the context follows the inputs. An input
    that also somebody reads as float, and an output that is made as float, stay as they are, with a Reason.
    """

    name: ClassVar[str] = "quantize-interface"
    preserves: ClassVar[Preserves] = Preserves.INTERFACE

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Change the types of inputs and outputs."""
        assert context.plan is not None
        if context.plan.io_type != "quantized":
            return PassResult()
        graph = model.graph
        inputs = [value for value in graph.inputs if _is_float(value) and not value.is_initializer()]
        outputs = {place: value for place, value in enumerate(graph.outputs) if _is_float(value)}
        results = [_quantize_input(value) for value in inputs]
        results += [_quantize_output(model, place) for place in outputs]
        found: dict[str, QuantParams] = {}
        declined = []
        for value, result in zip((*inputs, *outputs.values()), results, strict=True):
            if isinstance(result, str):
                declined.append((value.name or "", Reason(Code.RULE_DECLINED, result)))
            else:
                name, params = result
                found[name] = params
                model.metadata_props.update(interface_metadata(name, params))
        if context.feed is not None:
            context.feed = {n: found[n].quantize(a) if n in found else a for n, a in context.feed.items()}
        if found:
            remove_dead(model)
        return PassResult(len(found), tuple(declined))


def _is_float(value: ir.Value) -> bool:
    return isinstance(value.type, ir.TensorType) and value.type.dtype.is_floating_point()


def _quantize_input(value: ir.Value) -> tuple[str, QuantParams] | str:
    """Name and parameters of an input that is 8-bit now; or why it cannot be."""
    name = value.name or ""
    readers = [use.node for use in value.uses()]
    other = next((node for node in readers if not is_op(node, "QuantizeLinear")), None)
    if other is not None or value.is_graph_output() or not readers:
        who = f"node {other.name!r} reads" if other is not None else "an output is" if readers else "nobody reads"
        return f"input {name!r} stays float ({who} it as float)"
    params = {_params(node) for node in readers}
    (found,) = params if len(params) == 1 else (None,)
    if found is None:
        return f"input {name!r} stays float (its readers quantize it differently)"
    value.type = ir.TensorType(ir.DataType.from_numpy(found.zero_point.dtype))  # clones share the old one
    for node in readers:
        replace_value(node.outputs[0], value)
    return name, found


def _quantize_output(model: ir.Model, place: int) -> tuple[str, QuantParams] | str:
    """Name and parameters of an output that is 8-bit now; or why it cannot be."""
    value = model.graph.outputs[place]
    name, maker = value.name or "", value.producer()
    codes = maker.inputs[0] if is_op(maker, "DequantizeLinear") and maker is not None else None
    params = _params(maker) if maker is not None else None
    if maker is None or codes is None or params is None:
        made_by = "it is an input" if maker is None else f"node {maker.name!r} makes it as float"
        return f"output {name!r} stays float ({made_by})"
    if codes.producer() is None or codes.is_graph_output():
        bridge = ir.node("Identity", [codes], name=Names(model).node(f"{name}_identity"))
        model.graph.insert_before(maker, bridge)
        codes = bridge.outputs[0]
    codes.type, codes.shape = ir.TensorType(ir.DataType.from_numpy(params.zero_point.dtype)), value.shape
    model.graph.outputs[place] = codes
    value.name, codes.name = Names(model).value(f"{name}_dequantized"), name
    return name, params


def _params(node: ir.Node) -> QuantParams | None:
    """Parameters of a whole tensor of a QuantizeLinear or DequantizeLinear, if they are constant."""
    scale, zero_point = (constant(value) for value in (*node.inputs[1:3], None, None)[:2])
    if scale is None or zero_point is None or scale.ndim:
        return None
    return QuantParams(scale, zero_point)
