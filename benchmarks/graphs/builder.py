"""A float model as it grows: its values, nodes and weights so far, and the choices that are still to be made.

Every value keeps the batch as its first axis; its other axes are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

NAMES = ("{}", "/net/layer.{}/out", "v{}:0", "a b {}", "名前-{}", "{}.weight")
"""How exporters and people name values: numbers, paths, ports, spaces, letters of any script."""

OPSETS = (13, 17, 18, 21, 22)


@dataclass(frozen=True)
class Tensor:
    """A value of the graph, with its shape behind the batch."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Elements of one sample."""
        return int(np.prod(self.shape))


class Builder:
    """The graph so far, and the choices that are still to be made."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.opset: int = draw(st.sampled_from(OPSETS))
        self.names: str = draw(st.sampled_from(NAMES))
        self.named_nodes: bool = draw(st.booleans())
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        self.count = 0

    def choose(self, *options: Any) -> Any:
        """One of the options; the first is the simplest."""
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return self.draw(st.integers(low, high))

    def flag(self) -> bool:
        """Yes or no; no is the simplest."""
        return self.draw(st.booleans())

    def name(self) -> str:
        """A name that is not taken."""
        self.count += 1
        return self.names.format(self.count)

    def constant(self, array: np.ndarray) -> str:
        """An array as initializer, or, as some exporters have it, from a Constant node."""
        tensor = numpy_helper.from_array(array, self.name())
        if self.number(0, 7) == 7:
            self.nodes.append(helper.make_node("Constant", [], [tensor.name], value=tensor))
        else:
            self.weights.append(tensor)
        return tensor.name

    def weight(self, *shape: int, inputs: int) -> str:
        """Normal weights that keep the power of so many inputs; some have an outlier or an empty channel."""
        array = self.rng.normal(size=shape).astype(np.float32) / np.float32(np.sqrt(inputs))
        match self.number(0, 9):
            case 8:
                array.flat[0] *= 20
            case 9:
                array[0] = 0
        return self.constant(array)

    def vector(self, *shape: int, centre: float = 0.0) -> str:
        """Small normal numbers around a centre."""
        return self.constant((centre + 0.3 * self.rng.normal(size=shape)).astype(np.float32))

    def integers(self, *numbers: int) -> str:
        """A shape, axes or the like."""
        return self.constant(np.array(numbers, np.int64))

    def op(self, op_type: str, inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> Tensor:
        """Add a node with one output."""
        return self.split(op_type, inputs, [shape], **attributes)[0]

    def split(self, op_type: str, inputs: list[str], shapes: list[tuple[int, ...]], **attributes: Any) -> list[Tensor]:
        """Add a node with an output for each shape."""
        made = [Tensor(self.name(), shape) for shape in shapes]
        name = f"{op_type}_{len(self.nodes)}" if self.named_nodes else ""
        self.nodes.append(helper.make_node(op_type, inputs, [t.name for t in made], name, **attributes))
        return made
