"""A transposed convolution as a convolution that makes each block of its output as channels.

With stride s, the output pixels that lie s apart (one of s*s phases) are an ordinary convolution of the input with
every s-th tap of the kernel, mirrored (Shi et al. 2016, "Is the deconvolution layer the same as a convolutional
layer?", arXiv 1609.07009). Stacked as channels, all phases are one convolution; DepthToSpace spreads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SubPixel:
    """The convolution, and what is cut off behind DepthToSpace; pads in the order top, left, bottom, right."""

    weight: npt.NDArray[np.int8]
    """Shape (s * s * outputs, inputs, taps, taps), in the order that DepthToSpace (mode DCR) takes."""
    stride: int
    pads: tuple[int, ...]
    cut: tuple[int, ...]
    """Always below the stride."""


def sub_pixel(
    weight: npt.NDArray[np.int8], stride: int, pads: Sequence[int], output_padding: Sequence[int] = (0, 0)
) -> SubPixel:
    """The equal of a ConvTranspose with one group and no dilation.

    Args:
        weight: codes with zero point 0, shape (inputs, outputs, height, width).
        stride: of both axes.
        pads: top, left, bottom, right; each below the kernel's size, for else there are no such pads.
        output_padding: of height and width.
    """
    inputs, outputs, *kernel = weight.shape
    ends = [pad - extra for pad, extra in zip(pads[2:], output_padding, strict=True)]
    # output padding may reach behind the last tap: what is made there takes taps that are zero
    taps = [-(-max(size, size - end) // stride) for size, end in zip(kernel, ends, strict=True)]
    room = [(0, count * stride - size) for count, size in zip(taps, kernel, strict=True)]
    surplus = [extra + end for (_, extra), end in zip(room, ends, strict=True)]
    blocks = np.pad(weight, [(0, 0), (0, 0), *room]).reshape(inputs, outputs, taps[0], stride, taps[1], stride)
    mirrored = blocks[:, :, ::-1, :, ::-1].transpose(3, 5, 1, 0, 2, 4)
    cut = [*pads[:2], *surplus]
    return SubPixel(
        np.ascontiguousarray(mirrored).reshape(stride * stride * outputs, inputs, *taps),
        stride,
        tuple(count - 1 - size // stride for count, size in zip(taps * 2, cut, strict=True)),
        tuple(size % stride for size in cut),
    )
