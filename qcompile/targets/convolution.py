"""What convolutions on onnxruntime's CPU provider can give to readers of floats, beyond 8 bits."""

from __future__ import annotations

from math import ceil

from qcompile.targets.table import NodeFacts

SEGMENTS = 4
"""Four segments are 10 bits: what follows 8 is noise of the weights. Measured 1.1 to 2.8 times the float kernel."""

KERNEL_CHANNELS = 16
"""The fast 8-bit kernel takes multiples of 4 channels from here on: below, more segments cost nothing."""

SEGMENTED_CHANNELS = 12
"""With more channels than these, segments were measured to be slower than a float convolution."""


def summed_first(facts: NodeFacts) -> int | None:
    """Axis of the weights that the kernel sums over first; None for depthwise ones, which widen every byte."""
    weight, groups = facts.shape(1) or (None, None), facts.attributes.get("group", 1)
    return None if weight[1] == 1 and weight[0] == groups > 1 else 1


def is_pointwise(facts: NodeFacts) -> bool:
    """Whether a Conv is a matrix product over the channels, which a kernel exists for that gives floats."""
    weight, given = facts.shape(1) or (), facts.attributes
    plain = given.get("group", 1) == 1 and given.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    steps = all(step == 1 for step in given.get("strides", ())) and not any(given.get("pads", ()))
    return len(weight) > 2 and all(size == 1 for size in weight[2:]) and plain and steps


def segments(facts: NodeFacts) -> int:
    """How many segments of 8 bits the output of a Conv is worth cutting into; 1: none."""
    weight = facts.shape(1) or (None,)
    channels = weight[0] or 0
    if facts.attributes.get("group", 1) != 1 or not 0 < channels <= SEGMENTED_CHANNELS:
        return 1
    return SEGMENTS * ceil(KERNEL_CHANNELS / (SEGMENTS * channels))
