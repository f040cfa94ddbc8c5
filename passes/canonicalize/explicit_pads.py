"""Padding as numbers, not as a rule."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from qcompile.ir import Names, attribute
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome
from qcompile.pipeline import Preserves

_WEIGHTED = ("Conv", "ConvTranspose")


class ExplicitPads(NodePass):
    """Write the padding of convolutions and pools as numbers, and other defaults of theirs as attributes.

    ```
    y = Conv <auto_pad = "SAME_UPPER"> (x, w)  =>  y = Conv <dilations = [1, 1], group = 1, kernel_shape = [3, 3],
                                                             pads = [1, 1, 1, 1], strides = [1, 1]> (x, w)
    ```
    Afterwards Conv, ConvTranspose, MaxPool, AveragePool and LpPool have no auto_pad, but kernel_shape, pads and
    strides; Conv and ConvTranspose also dilations and group, so that their geometry can be read without the weight.

    A node stays as it is when SAME meets a stride above 1 and an input of unknown size (ConvTranspose needs no size),
    when a ConvTranspose gives its output_shape, when a rule for padding meets ceil_mode (which it overrides), or when
    the kernel's size is unknown. Preserves: exact.
    """

    name = "explicit-pads"
    preserves = Preserves.EXACT
    ops = (*_WEIGHTED, "MaxPool", "AveragePool", "LpPool")

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Write out the attributes of one node."""
        kernel = attribute(node, "kernel_shape") or _weight_kernel(node)
        if kernel is None:
            return "the size of its kernel is unknown"
        if attribute(node, "output_shape") is not None:
            return "output_shape decides its pads"
        rule = attribute(node, "auto_pad", "NOTSET")
        if rule != "NOTSET" and attribute(node, "ceil_mode", 0):
            return f"auto_pad {rule} overrides its ceil_mode"
        ones = (1,) * len(kernel)
        pads = _pads(node, rule, kernel)
        if isinstance(pads, str):
            return pads
        wanted: dict[str, int | tuple[int, ...]] = {
            "kernel_shape": tuple(kernel),
            "pads": tuple(pads),
            "strides": attribute(node, "strides", ones),
        }
        if node.op_type in _WEIGHTED:
            wanted |= {"dilations": attribute(node, "dilations", ones), "group": attribute(node, "group", 1)}
        return _write(node, wanted)


def _weight_kernel(node: ir.Node) -> Sequence[int] | None:
    """Spatial dimensions of the weight."""
    weight = node.inputs[1] if node.op_type in _WEIGHTED else None
    dims = tuple(weight.shape)[2:] if weight is not None and weight.shape is not None else ()
    sizes = [dim for dim in dims if isinstance(dim, int)]
    return sizes if sizes and len(sizes) == len(dims) else None


def _pads(node: ir.Node, rule: str, kernel: Sequence[int]) -> list[int] | str:
    """Pads, all that begin before all that end; or why they are unknown."""
    if rule == "NOTSET":
        return list(attribute(node, "pads", [0] * 2 * len(kernel)))
    if rule == "VALID":
        return [0] * 2 * len(kernel)
    totals = [_same_total(node, axis, size) for axis, size in enumerate(kernel)]
    known = [total for total in totals if total is not None and total >= 0]
    if len(known) < len(totals):
        return f"auto_pad {rule} depends on the size of the input, which is unknown"
    small, large = [total // 2 for total in known], [total - total // 2 for total in known]
    return [*small, *large] if rule == "SAME_UPPER" else [*large, *small]


def _same_total(node: ir.Node, axis: int, kernel: int) -> int | None:
    """Padding of both ends for an output of input / stride, rounded up (ConvTranspose: of input * stride).

    None where the size of the input is needed and unknown; negative where a ConvTranspose would have to grow.
    """
    stride, dilation, extra = (
        attribute(node, name, ())[axis : axis + 1] for name in ("strides", "dilations", "output_padding")
    )
    step = stride[0] if stride else 1
    extent = (kernel - 1) * (dilation[0] if dilation else 1) + 1
    if node.op_type == "ConvTranspose":
        return extent - step + (extra[0] if extra else 0)
    if step == 1:
        return extent - 1
    data = node.inputs[0]
    size = data.shape[axis + 2] if data is not None and data.shape is not None else None
    return max((-(-size // step) - 1) * step + extent - size, 0) if isinstance(size, int) else None


def _write(node: ir.Node, wanted: dict[str, int | tuple[int, ...]]) -> bool:
    """Set the attributes, all in the order of their names; whether that changed anything."""
    rule = node.attributes.pop("auto_pad", None)
    if rule is None and all(attribute(node, name) == value for name, value in wanted.items()):
        return False
    for name, value in wanted.items():
        node.attributes[name] = ir.AttrInt64(name, value) if isinstance(value, int) else ir.AttrInt64s(name, value)
    ordered = sorted(node.attributes.items())
    node.attributes.clear()
    node.attributes.update(ordered)
    return True
