"""What every lowering needs: reading a QDQ unit, and putting an integer operator in its place."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import CONTRIB, Names, constant, declare, is_op, nodes, remove_dead, scalar_constant, sole_consumer
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason
from qcompile.quant import QuantParams


@dataclass(frozen=True)
class Quantized:
    """An 8-bit tensor of the graph with its scale and zero point."""

    value: ir.Value
    scale: ir.Value
    zero_point: ir.Value
    axis: int | None = None

    @property
    def triple(self) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Tensor, scale, zero point: the order that integer operators take."""
        return self.value, self.scale, self.zero_point

    def params(self) -> QuantParams:
        """The parameters as numbers."""
        scale, zero_point = constant(self.scale), constant(self.zero_point)
        assert scale is not None and zero_point is not None
        return QuantParams(scale, zero_point, self.axis)


def dequantized(value: ir.Value | None) -> Quantized | None:
    """The 8-bit tensor behind a DequantizeLinear with constant parameters; None if there is none."""
    node = value.producer() if value is not None else None
    if node is None or not is_op(node, "DequantizeLinear") or len(node.inputs) < 3:
        return None
    return _quantized(node, node.inputs[0])


def dynamically_dequantized(value: ir.Value | None) -> Quantized | None:
    """The 8-bit tensor behind a DequantizeLinear whose parameters are computed at run time; None if there is none."""
    node = value.producer() if value is not None else None
    source = node.inputs[0].producer() if node is not None and node.inputs and node.inputs[0] is not None else None
    if node is None or not is_op(node, "DequantizeLinear") or not is_op(source, "DynamicQuantizeLinear"):
        return None
    tensor, scale, zero_point = node.inputs[:3]
    assert tensor is not None and scale is not None and zero_point is not None
    return Quantized(tensor, scale, zero_point)


def requantized(value: ir.Value) -> tuple[ir.Node, Quantized] | None:
    """The QuantizeLinear that alone reads a value, through clamps that its saturation implies.

    None where its codes are of another type than those that the value is made from: no kernel makes them.
    """
    found, maker = _quantizer(value), value.producer()
    source = dequantized(maker.inputs[0]) if maker is not None and maker.inputs else None
    is_alike = found is None or source is None or found[1].zero_point.dtype == source.zero_point.dtype
    return found if is_alike else None


def _quantizer(value: ir.Value) -> tuple[ir.Node, Quantized] | None:
    reader = sole_consumer(value)
    if reader is None:
        return None
    if is_op(reader, "QuantizeLinear"):
        quantized = _quantized(reader, reader.outputs[0])
        return (reader, quantized) if quantized else None
    if not is_op(reader, "Relu", "Clip"):
        return None
    found = _quantizer(reader.outputs[0])
    return found if found and _is_implied(reader, found[1].params()) else None


def accumulator_bias(node: ir.Node, x: Quantized, w: Quantized) -> ir.Value | str | None:
    """The int32 codes behind input 2, which the kernel adds unscaled; None if there is no bias; else what bars it."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return None
    bias = dequantized(node.inputs[2])
    if bias is None:
        return "its bias is not quantized"
    grid, params = x.params().scale * w.params().scale, bias.params()
    if bias.value.dtype != ir.DataType.INT32 or params.zero_point.any() or not np.allclose(params.scale, grid, 1e-6, 0):
        return "its bias is not on the grid of the accumulator"
    return bias.value


def _quantized(node: ir.Node, tensor: ir.Value | None) -> Quantized | None:
    if tensor is None or len(node.inputs) < 3 or node.inputs[1] is None or node.inputs[2] is None:
        return None
    scale = constant(node.inputs[1])
    if scale is None or constant(node.inputs[2]) is None:
        return None
    axis = node.attributes.get_int("axis", 1) if scale.ndim else None
    return Quantized(tensor, node.inputs[1], node.inputs[2], axis)


def _is_implied(clamp: ir.Node, params: QuantParams) -> bool:
    """Whether a clamped value gets the same code as an unclamped one: the bounds lie at or beyond the end codes."""
    low, high = clamp_bounds(clamp)
    codes = params.quantize(np.array([low, high], np.float32))
    return bool(codes[0] == params.qmin and codes[1] == params.qmax)


def clamp_bounds(clamp: ir.Node) -> tuple[float, float]:
    """Bounds of a Relu or of a Clip with constant bounds."""
    if clamp.op_type == "Relu":
        return 0.0, float("inf")
    low, high = (scalar_constant(value) for value in (*clamp.inputs[1:3], None, None)[:2])
    return (-np.inf if low is None else low), (np.inf if high is None else high)


class Lowering(Pass):
    """A pass that puts integer operators in the place of QDQ units.

    A subclass lists `ops` and turns one node into its replacement, or says why not (None: not its pattern).
    """

    ops: ClassVar[tuple[str, ...]]
    domain: ClassVar[str] = ""
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Lower every unit, in the main graph and in all bodies."""
        names = Names(model)
        changes, declined = 0, []
        for node in list(nodes(model)):
            if not is_op(node, *self.ops, domain=self.domain):
                continue
            done = self.lower(node, names)
            if isinstance(done, str):
                declined.append((node.name or "", Reason(Code.UNSUPPORTED_FORM, done)))
            changes += done is True
        if changes:
            remove_dead(model)
            declare(model)
        return PassResult(changes, tuple(declined))

    @abstractmethod
    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Replace the node's unit and return True; or return why it cannot be, or None if it is no unit."""


@dataclass(frozen=True)
class UnaryUnit:
    """A node with one activation between a DequantizeLinear and a QuantizeLinear."""

    x: Quantized
    y: Quantized
    """Its output, with the parameters that it gets."""
    result: ir.Value
    """The 8-bit value that the QuantizeLinear makes."""


class UnaryLowering(Lowering):
    """A lowering of nodes with one activation in and one out, both 8-bit."""

    def lower(self, node: ir.Node, names: Names) -> bool | str | None:
        """Find the unit around the node and replace it."""
        x, found = dequantized(node.inputs[0]), requantized(node.outputs[0])
        if x is None:
            return None
        if found is None:
            return "its output is not quantized for all readers"
        quantize, y = found
        return self.replace(node, UnaryUnit(x, y, quantize.outputs[0]), names)

    @abstractmethod
    def replace(self, node: ir.Node, unit: UnaryUnit, names: Names) -> bool | str:
        """Replace the unit and return True; or return why it cannot be."""


def emit(
    anchor: ir.Node,
    old: ir.Value,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: dict[str, Any] | None = None,
    *,
    domain: str = CONTRIB,
    name: str | None = None,
) -> ir.Node:
    """A new node right behind `anchor` whose output takes over name, type and readers of `old`.

    The node takes the anchor's name unless one is given: it is what the anchor became.
    """
    graph = anchor.graph
    assert graph is not None
    output = ir.Value(name=old.name, type=old.type, shape=old.shape)
    output.metadata_props.update(old.metadata_props)
    output.meta.update(old.meta)
    node = ir.node(op_type, list(inputs), attributes or {}, domain=domain, outputs=[output], name=name or anchor.name)
    graph.insert_after(anchor, node)
    is_output = old.is_graph_output()
    old.replace_all_uses_with(output, replace_graph_outputs=is_output)
    old.name = None
    return node


def plain_attributes(node: ir.Node) -> dict[str, Any]:
    """The attributes of a node as values, to be given to its integer form."""
    return {name: attribute.value for name, attribute in node.attributes.items()}
