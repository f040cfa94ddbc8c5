"""Outputs of more than 8 bits from kernels that make 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, constant, is_op, nodes, remove_dead, replace_value, sole_consumer
from qcompile.passes.lower.expansion import Expansion
from qcompile.passes.lower.integers import Quantized, accumulator_bias, dequantized, plain_attributes, requantized
from qcompile.pipeline import Context, Pass, PassResult, Preserves
from qcompile.plan import Code, Reason
from qcompile.quant import INT32_MAX, QuantParams


@dataclass(frozen=True)
class SegmentOutputs(Pass):
    """Cut the range of an output into segments of 8 bits each, one copy of the channels for each, and add them up.

    Before: `y = DQ(Q(Conv(DQ(x_q), DQ(w_q), DQ(b_q)), s, z), s, z)` with m segments for the Conv in the plan
    After:  `c = Conv(DQ(x_q), DQ(Tile(w_q, m)), DQ(b_copies))
            y = Conv(DQ(Q(c, s / m, 0), s / m, 0), DQ(identities), -s * z)` (uint8; with int8, -128 takes 0's place)

    The bias of copy k = 0 .. m - 1 is that of b_q + s * z - 255 * k * s / m. So saturation cuts each copy to its
    segment, as mercury fills a thermometer, and the sum has steps of s / m: 8 + log2(m) bits. The sum is a 1x1 Conv
    that adds channel by channel. Clamps behind the Conv are float nodes again. Declines where a bias would not fit
    int32.
    """

    name: ClassVar[str] = "segment-outputs"
    preserves: ClassVar[Preserves] = Preserves.QUANTIZED

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Segment the outputs of the nodes that the plan names."""
        assert context.plan is not None
        names = Names(model)
        changes, declined = 0, []
        for node in list(nodes(model)):
            count = context.plan.segments.get(node.name or "", 1)
            if count == 1 or not is_op(node, "Conv"):
                continue
            refused = _segment(node, count, names)
            if refused is not None:
                declined.append((node.name or "", Reason(Code.RULE_DECLINED, refused)))
            changes += refused is None
        if changes:
            remove_dead(model)
        return PassResult(changes, tuple(declined))


def _segment(node: ir.Node, count: int, names: Names) -> str | None:
    """Segment one output; or return why not."""
    x, w, y = dequantized(node.inputs[0]), dequantized(node.inputs[1]), requantized(node.outputs[0])
    if x is None or w is None or y is None:
        return "its output is not quantized for all readers"
    quantize, whole = y
    dequantize = sole_consumer(quantize.outputs[0])
    bias = accumulator_bias(node, x, w)
    if isinstance(bias, str) or not is_op(dequantize, "DequantizeLinear"):
        return bias if isinstance(bias, str) else "its codes are read"
    params = whole.params()
    lowest = np.asarray(params.qmin, params.zero_point.dtype)
    part = QuantParams(np.asarray(params.scale / np.float32(count), np.float32), lowest)
    zero = count * (int(params.zero_point) - params.qmin)
    codes = constant(w.value)
    assert codes is not None
    wide = _repeated(codes, x, w, constant(bias), part, zero, count)
    if wide is None:
        return "its shifted biases do not fit int32"
    copies = Expansion(node, names).tiled(w.value, 0, count)
    assert dequantize is not None and quantize.inputs[0] is not None
    total = _written(node, copies, wide, part, zero, count, names)
    replace_value(node.outputs[0], total)
    replace_value(dequantize.outputs[0], quantize.inputs[0])
    return None


@dataclass(frozen=True)
class _Repeated:
    """Parameters and biases of the convolution that makes all copies."""

    weight_params: QuantParams
    bias: np.ndarray
    bias_scale: np.ndarray


def _repeated(
    codes: np.ndarray, x: Quantized, w: Quantized, bias: np.ndarray | None, part: QuantParams, zero: int, count: int
) -> _Repeated | None:
    """The copies, the bias of copy k such that its segment begins at code 255 k; None where a bias overflows."""
    params, channels = w.params(), codes.shape[0]
    scale, zero_point = (np.broadcast_to(a, [channels]) for a in (params.scale, params.zero_point))
    grid = (x.params().scale * scale).astype(np.float32)
    begins = zero - 255 * np.arange(count)[:, None]
    shifts = np.rint(begins * (float(part.scale) / grid.astype(np.float64)))
    biases = (shifts + (0 if bias is None else bias)).reshape(-1)
    if np.abs(biases).max() > INT32_MAX - 255 * 128 * codes[0].size:
        return None
    repeated = QuantParams(np.tile(scale, count), np.tile(zero_point, count), 0)
    return _Repeated(repeated, biases.astype(np.int32), np.tile(grid, count))


def _written(
    node: ir.Node, codes: ir.Value, wide: _Repeated, part: QuantParams, zero: int, count: int, names: Names
) -> ir.Value:
    """The nodes of the copies and of their sum, before the node; returns the sum."""
    graph, y = node.graph, node.outputs[0]
    assert isinstance(graph, ir.Graph)
    rank, channels = len(codes.shape or ()), wide.bias.size // count
    identity = np.eye(channels, dtype=np.int8).reshape([channels, channels, *[1] * (rank - 2)])
    ones = QuantParams(np.ones(channels, np.float32), np.zeros(channels, np.int8), 0)
    offset = np.full(channels, -zero * float(part.scale), np.float32)
    write = _Writer(node, graph, names)
    weight = write.dequantized("weight", codes, wide.weight_params)
    bias_params = QuantParams(wide.bias_scale, np.zeros(wide.bias.shape, np.int32), 0)
    copies = write.node(
        "Conv",
        [node.inputs[0], weight, write.dequantized("bias", wide.bias, bias_params)],
        "copies",
        plain_attributes(node),
        name=node.name,
    )
    parameters = [write.constant("scale", part.scale), write.constant("zero_point", part.zero_point)]
    dtype = ir.DataType.from_numpy(part.zero_point.dtype)
    filled = write.node("QuantizeLinear", [copies, *parameters], "codes", dtype=dtype)
    pieces = write.node("DequantizeLinear", [filled, *parameters], "pieces")
    summands = write.dequantized("identities", np.concatenate([identity] * count, axis=1), ones)
    total = write.node("Conv", [pieces, summands, write.constant("offset", offset)], "sum")
    total.type, total.shape = y.type, y.shape
    return total


@dataclass(frozen=True)
class _Writer:
    """Puts new nodes and constants before a node, named after it."""

    anchor: ir.Node
    graph: ir.Graph
    names: Names

    def constant(self, what: str, array: np.ndarray) -> ir.Value:
        return self.names.initializer(self.graph, f"{self.anchor.name}_segments_{what}", np.asarray(array))

    def dequantized(self, what: str, codes: ir.Value | np.ndarray, params: QuantParams) -> ir.Value:
        inputs = [
            codes if isinstance(codes, ir.Value) else self.constant(f"{what}_quantized", codes),
            self.constant(f"{what}_scale", params.scale),
            self.constant(f"{what}_zero_point", params.zero_point),
        ]
        return self.node("DequantizeLinear", inputs, what, {"axis": 0})

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        what: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        dtype: ir.DataType = ir.DataType.FLOAT,
        name: str | None = None,
    ) -> ir.Value:
        name = name or self.names.node(f"{self.anchor.name}_segments_{what}_{op_type}")
        made = ir.node(op_type, inputs, attributes or {}, name=name)
        made.outputs[0].name = self.names.value(f"{self.anchor.name}_segments_{what}")
        made.outputs[0].type = ir.TensorType(dtype)
        self.graph.insert_before(self.anchor, made)
        return made.outputs[0]
