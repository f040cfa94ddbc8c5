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
        noise = _Noise(link, plan, ranges)
        size = np.max([ranges[value.name or ""].magnitude for value in link.read], axis=0)
        blocks = (np.abs(weight_blocks(reader)) for reader in link.readers)
        largest = np.max([block.max(axis=(1, 3)).reshape(-1) for block in blocks], axis=0)
        candidates = [_ratios(size**a, largest ** (1 - a)) for a in ALPHAS]
        expected = [noise.with_factors(factors) for factors in candidates]
        best = int(np.argmin(expected))
        if expected[best] < WORTH * noise.as_planned():
            found.append((link, candidates[best]))
    return _by_value(found)


@dataclass(frozen=True)
class _Noise:
    """Expected noise power of what the readers of a link give, summed over their channels."""

    link: ScaleLink
    plan: Plan
    ranges: Mapping[str, ChannelRange]

    def as_planned(self) -> float:
        """With the steps of the plan."""
        codes = sum(float(self.plan.values[name].scale) ** 2 for name in self._coded)
        return self._of(np.ones(self.link.channels), codes)

    def with_factors(self, factors: Array) -> float:
        """Once channels are divided by factors, and steps span all of the range again."""
        return self._of(factors, sum(_step(self.ranges[name], factors) ** 2 for name in self._coded))

    @property
    def _coded(self) -> list[str]:
        """The values that are rounded on the way: the noise of each reaches the readers."""
        return [name for name in self.link.axes if name in self.plan.values and name in self.ranges]

    def _of(self, factors: Array, codes: float) -> float:
        """`codes` is the sum of the squares of their steps."""
        noise = 0.0
        for reader in self.link.readers:
            assert reader.inputs[0] is not None
            seen, block = self.ranges[reader.inputs[0].name or ""], weight_blocks(reader)
            groups, _, inputs, taps = block.shape
            weight = block * factors.reshape(groups, 1, inputs, 1)
            is_dynamic = self.plan.is_integer(reader.name) and not self.plan.reads_codes(reader.name)
            own = _step(seen, factors) ** 2 if is_dynamic else 0.0
            noise += (codes + own) * float((weight**2).sum())
            if (reader.name or "", 1) in self.plan.weights:
                power = (seen.power / factors**2).reshape(groups, inputs).sum(axis=1) * taps
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
