"""Integer kernels of the runtime beside the float kernels that they stand in for, on this machine.

    python benchmarks/kernels.py [--rounds N] [--json FILE]

One node a model, random weights, one thread. What the edges of a network cost, QuantizeLinear and DequantizeLinear, are
rows of their own; their speed is that beside copying the float array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from benchmarks import output
from benchmarks.quietest import seconds
from qcompile.ir import CONTRIB
from qcompile.runtime import Feed, Session, speed_ratios

SCALE, CENTRE = np.float32(0.02), np.uint8(128)
CODES = (SCALE, CENTRE)
"""Scale and zero point of every activation."""


RUNS = 50
"""Of a float kernel, to find its quietest one."""


@dataclass(frozen=True)
class Node:
    """A node that is a model."""

    op_type: str
    inputs: tuple[np.ndarray | np.generic, ...]
    fed: int = 1
    """So many inputs are given at run time, the others are weights."""
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""

    def model(self) -> onnx.ModelProto:
        """The model; inputs i0, i1, ... of which the first `fed` are given at run time."""
        names = [f"i{number}" for number in range(len(self.inputs))]
        node = helper.make_node(self.op_type, names, ["y"], domain=self.domain, **self.attributes)
        arrays = [np.asarray(array) for array in self.inputs]
        declared = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names[: self.fed], arrays, strict=False)
        ]
        weights = [numpy_helper.from_array(array, name) for name, array in zip(names, arrays, strict=True)][self.fed :]
        graph = helper.make_graph([node], "kernel", declared, [helper.make_empty_tensor_value_info("y")], weights)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def feed(self) -> dict[str, np.ndarray]:
        """What the model was made for."""
        return {f"i{number}": np.asarray(array) for number, array in enumerate(self.inputs[: self.fed])}


@dataclass(frozen=True)
class Pair:
    """An integer node and the float node that it stands in for."""

    shape: str
    integer: Node
    plain: Node


@dataclass(frozen=True)
class Timing:
    """What a pair takes."""

    kernel: str
    instead_of: str
    shape: str
    float_us: float
    speed: float
    """Of the integer kernel: a multiple of the float kernel's."""


def pairs(rng: np.random.Generator) -> Iterator[Pair]:
    """Every kernel in shapes as networks have them."""
    for size in ((64, 64, 1, 56), (64, 64, 3, 56), (256, 256, 3, 14), (512, 2048, 1, 7)):
        yield _convolution(rng, *size)
    for channels, side in ((96, 56), (384, 14)):
        yield _convolution(rng, channels, channels, 3, side, group=channels)
    for rows, inputs, outputs in ((128, 768, 768), (128, 768, 3072), (1, 768, 768)):
        yield from _products(rng, rows, inputs, outputs)
    yield from _pointwise(rng, (1, 64, 56, 56))
    yield from _edges(rng, (1, 64, 56, 56))


def _convolution(rng: np.random.Generator, inputs: int, outputs: int, kernel: int, side: int, group: int = 1) -> Pair:
    x, weight = _codes(rng, 1, inputs, side, side), _weights(rng, outputs, inputs // group, kernel, kernel)
    attributes = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "group": group}
    scales, zeros = np.full(outputs, 0.01, np.float32), np.zeros(outputs, np.int8)
    integer = Node("QLinearConv", (x, *CODES, weight, scales, zeros, *CODES), attributes=attributes)
    shape = f"{inputs}x{side}x{side} by {outputs} of {kernel}x{kernel}{' depthwise' if group > 1 else ''}"
    return Pair(shape, integer, Node("Conv", (_floats(x), _floats(weight)), attributes=attributes))


def _products(rng: np.random.Generator, rows: int, inputs: int, outputs: int) -> Iterator[Pair]:
    x, weight = _codes(rng, 1, rows, inputs), _weights(rng, inputs, outputs)
    scales, zeros = np.full(outputs, 0.01, np.float32), np.zeros(outputs, np.int8)
    plain = Node("MatMul", (_floats(x), _floats(weight)))
    for integer in (
        Node("QLinearMatMul", (x, *CODES, weight, scales, zeros, *CODES)),
        Node("MatMulIntegerToFloat", (x, weight, SCALE, scales, CENTRE, zeros), domain=CONTRIB),
        Node("DynamicQuantizeMatMul", (_floats(x), weight, scales, zeros), domain=CONTRIB),
    ):
        yield Pair(f"{rows}x{inputs} by {inputs}x{outputs}", integer, plain)


def _pointwise(rng: np.random.Generator, size: tuple[int, ...]) -> Iterator[Pair]:
    x, shape = _codes(rng, *size), "x".join(map(str, size[1:]))
    for op_type in ("Add", "Mul"):
        integer = Node(f"QLinear{op_type}", (x, *CODES, x, *CODES, *CODES), domain=CONTRIB)
        yield Pair(shape, integer, Node(op_type, (_floats(x), _floats(x))))
    for op_type in ("Sigmoid", "LeakyRelu"):
        integer = Node(f"QLinear{op_type}", (x, *CODES, *CODES), domain=CONTRIB)
        yield Pair(shape, integer, Node(op_type, (_floats(x),)))
    pooled = Node("QLinearGlobalAveragePool", (x, *CODES, *CODES), domain=CONTRIB)
    yield Pair(shape, pooled, Node("GlobalAveragePool", (_floats(x),)))
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))  # as between the convolutions of a loaded model
    pool = Node("NhwcMaxPool", (channels_last,), attributes=window, domain=CONTRIB)
    yield Pair(shape, pool, Node("MaxPool", (_floats(x),), attributes=window))


def _edges(rng: np.random.Generator, size: tuple[int, ...]) -> Iterator[Pair]:
    x, shape = _codes(rng, *size), "x".join(map(str, size[1:]))
    copy = Node("Identity", (_floats(x),))
    yield Pair(shape, Node("QuantizeLinear", (_floats(x), *CODES)), copy)
    yield Pair(shape, Node("DequantizeLinear", (x, *CODES)), copy)


def _codes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, np.uint8)


def _weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-127, 128, shape, np.int8)


def _floats(codes: np.ndarray) -> np.ndarray:
    """As large as what the codes stand for, so that float products take no denormal or infinite detours."""
    floats: np.ndarray = (codes.astype(np.float32) - codes.mean(dtype=np.float32)) * SCALE
    return floats


class _Fed:
    """A session that gets the same feed at every run: the two of a pair read other types."""

    def __init__(self, node: Node) -> None:
        self.session, self.feed = Session(ir.from_proto(node.model())), node.feed()
        self.outputs = self.session.outputs

    def run(self, feed: Feed) -> list[np.ndarray]:
        return list(self.session.run(self.feed))


def measure(pair: Pair, rounds: int) -> Timing:
    """Run both nodes in turns."""
    plain, integer = _Fed(pair.plain), _Fed(pair.integer)
    speed = speed_ratios(plain, [integer], {}, rounds=rounds)[0]
    float_us = 1e6 * seconds(plain.session, plain.feed, RUNS)
    return Timing(pair.integer.op_type, pair.plain.op_type, pair.shape, float_us, speed)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of timing, in turns.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the results here.")
def main(rounds: int, json_file: Path | None) -> None:
    """Integer kernels beside float ones."""
    found = [asdict(measure(pair, rounds)) for pair in pairs(np.random.default_rng(0))]
    output.show("Integer kernels beside float ones", found)
    output.write(json_file, found)


if __name__ == "__main__":
    main()
