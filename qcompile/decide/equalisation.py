"""Factors by which channels are divided so that all of a tensor fits its 8 bits: from weights alone, or with data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.decide.scale_links import ScaleLink
from qcompile.ir import attribute, constant
from qcompile.passes.canonicalize.linear import LINEAR
from qcompile.plan import Plan
from qcompile.quant import ChannelRange

Array = npt.NDArray[np.float64]
Migrations = dict[str, tuple[float, ...]]

SWEEPS = 8
"""Over all links. What is left of an imbalance along a chain shrinks at least twofold in each."""

ALPHAS = np.linspace(0.0, 1.0, 21)
"""How much of the size of a channel goes into the weights that read it."""

LARGEST = 20
"""Exponent of two of the largest factor: a million, far from the ends of float32."""

WORTH = 0.8
"""Share of the noise in what a link's readers give that may be left: 1 dB less, or its scales stay."""


def equalised(links: Sequence[ScaleLink]) -> Migrations:
    """Factors that make each channel as large in the weights that make it as in those that read it.

    Nagel et al. 2019 (arXiv 1906.04721), equation 11: s = sqrt(r1 * r2) / r2 with the largest magnitudes r1 and r2.
    """
    factors = [np.ones(link.channels) for link in links]
    made = {link.source: factor for link, factor in zip(links, factors, strict=True)}
    read = {reader: factor for link, factor in zip(links, factors, strict=True) for reader in link.readers}
    sizes = {node: np.abs(weight_blocks(node)).max(axis=3) for node in (*made, *read)}

    def scaled(node: ir.Node) -> Array:
        groups, outputs, inputs = sizes[node].shape
        size = sizes[node] * read[node].reshape(groups, 1, inputs) if node in read else sizes[node]
        return np.asarray(size / made[node].reshape(groups, outputs, 1) if node in made else size)

    for _ in range(SWEEPS):
        for link, factor in zip(links, factors, strict=True):
            r1 = scaled(link.source).max(axis=2).reshape(-1)
            r2 = np.max([scaled(reader).max(axis=1).reshape(-1) for reader in link.readers], axis=0)
            factor *= _ratios(np.sqrt(r1), np.sqrt(r2))
    return _by_value(zip(links, factors, strict=True))


def smoothed(links: Sequence[ScaleLink], plan: Plan, ranges: Mapping[str, ChannelRange]) -> Migrations:
    """Factors that let activations and weights share the channels that are larger than others.

    Xiao et al. 2022 (arXiv 2211.10438), equation 4: s = max|X| ** a / max|W| ** (1 - a). For each link the `a` is taken
    that leaves the least noise in what its readers give, as expected from the steps of both and the power of each
    channel; none where that gains too little. A reader in float has noise of its weights alone.
    """
    found = []
    for link in links:
        seen = [ranges[value.name or ""] for value in link.read]
        size = np.max([channel.magnitude for channel in seen], axis=0)
        blocks = (np.abs(weight_blocks(reader)) for reader in link.readers)
        largest = np.max([block.max(axis=(1, 3)).reshape(-1) for block in blocks], axis=0)
        readers = [_Reader.of(reader, ranges, plan) for reader in link.readers]
        before = sum(reader.noise(np.ones(link.channels), reader.step) for reader in readers)
        candidates = [_ratios(size**a, largest ** (1 - a)) for a in ALPHAS]
        noise = [sum(reader.noise(factors, reader.step_with(factors)) for reader in readers) for factors in candidates]
        best = int(np.argmin(noise))
        if noise[best] <= WORTH * before:
            found.append((link, candidates[best]))
    return _by_value(found)


@dataclass(frozen=True)
class _Reader:
    """A linear node, and what rounding does to it."""

    weight: Array
    """In blocks."""
    seen: ChannelRange
    """Of its input."""
    step: float
    """Between the codes of its input as the plan has them; 0 where it reads floats."""
    is_rounded: bool
    """Whether its weight is."""

    @classmethod
    def of(cls, node: ir.Node, ranges: Mapping[str, ChannelRange], plan: Plan) -> _Reader:
        assert node.inputs[0] is not None
        value = node.inputs[0].name or ""
        seen = ranges[value]
        step = 0.0
        if plan.is_integer(node.name):
            step = float(plan.values[value].scale) if plan.reads_codes(node.name) else _step(seen, np.ones(1))
        return cls(weight_blocks(node), seen, step, (node.name or "", 1) in plan.weights)

    def step_with(self, factors: Array) -> float:
        """The step once channels are divided by factors."""
        return _step(self.seen, factors) if self.step else 0.0

    def noise(self, factors: Array, step: float) -> float:
        """Expected noise power of the output, summed over its channels, with that step between the input's codes."""
        groups, _, inputs, taps = self.weight.shape
        weight = self.weight * factors.reshape(groups, 1, inputs, 1)
        noise = step**2 * float((weight**2).sum())
        if self.is_rounded:
            power = (self.seen.power / factors**2).reshape(groups, inputs).sum(axis=1) * taps
            steps = np.abs(weight).max(axis=(2, 3)) / 127
            noise += float(((steps**2).sum(axis=1) * power).sum())
        return noise / 12


def _step(seen: ChannelRange, factors: Array) -> float:
    low, high = seen.divided(factors)
    return (high - low) / 255


def weight_blocks(node: ir.Node) -> Array:
    """The weight of a linear node, float64, shape (groups, outputs, inputs, taps).

    That of a normalisation or a product is (1, channels, 1, 1).
    """
    if node.op_type not in LINEAR:
        scales = next(array for value in node.inputs if (array := constant(value)) is not None)
        return scales.astype(np.float64).reshape(1, -1, 1, 1)
    weight = constant(node.inputs[1])
    assert weight is not None
    groups = attribute(node, "group", 1)
    by_group = weight.astype(np.float64)
    if node.op_type == "Conv" or attribute(node, "transB", 0):
        return by_group.reshape(groups, len(weight) // groups, weight.shape[1], -1)
    return by_group.reshape(groups, len(weight) // groups, weight.shape[1], -1).swapaxes(1, 2)


def _ratios(above: Array, below: Array) -> Array:
    """Quotients; 1 for channels in which either is 0, which say nothing."""
    known = (above > 0) & (below > 0)
    return np.divide(above, below, out=np.ones_like(above), where=known)


def _by_value(found: Iterable[tuple[ScaleLink, Array]]) -> Migrations:
    """Factors by value name: powers of two, by which float numbers are divided without rounding."""
    migrations: Migrations = {}
    for link, factors in found:
        exponents = np.log2(factors)
        rounded = np.round(exponents - np.median(exponents))
        if rounded.any():
            numbers = tuple(np.exp2(np.clip(rounded, -LARGEST, LARGEST)).tolist())
            migrations |= {value.name or "": numbers for value in link.values}
    return migrations
