"""A transposed convolution and its convolution of phases give the same sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import SubPixel, sub_pixel

Codes = npt.NDArray[np.int64]


def transposed(x: Codes, w: Codes, stride: int, pads: list[int], extra: list[int]) -> Codes:
    """ConvTranspose by its definition: every input pixel adds its kernel to the output."""
    (_, height, width), (_, outputs, kh, kw) = x.shape, w.shape
    full = np.zeros((outputs, (height - 1) * stride + kh + extra[0], (width - 1) * stride + kw + extra[1]), np.int64)
    for i in range(height):
        for j in range(width):
            added = np.einsum("c,cohw->ohw", x[:, i, j], w)
            full[:, i * stride : i * stride + kh, j * stride : j * stride + kw] += added
    return full[:, pads[0] : full.shape[1] - pads[2], pads[1] : full.shape[2] - pads[3]]


def by_phases(x: Codes, phases: SubPixel) -> Codes:
    """The convolution, DepthToSpace (mode DCR) and the cut."""
    top, left, bottom, right = phases.pads
    padded, s = np.pad(x, [(0, 0), (top, bottom), (left, right)]), phases.stride
    windows = np.lib.stride_tricks.sliding_window_view(padded, phases.weight.shape[2:], axis=(1, 2))
    sums = np.einsum("ocij,chwij->ohw", phases.weight.astype(np.int64), windows)
    channels, height, width = sums.shape
    blocks = sums.reshape(s, s, channels // s**2, height, width).transpose(2, 3, 0, 4, 1)
    spread = blocks.reshape(channels // s**2, height * s, width * s)
    result: Codes = spread[:, phases.cut[0] : height * s - phases.cut[2], phases.cut[1] : width * s - phases.cut[3]]
    return result


@given(st.data())
def test_same_sums(data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, 4), label="stride")
    kernel = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=2), label="kernel")
    pads = [data.draw(st.integers(0, size - 1), label="pad") for size in kernel * 2]
    extra = data.draw(st.lists(st.integers(0, stride - 1), min_size=2, max_size=2), label="output padding")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), label="seed"))
    weight = rng.integers(-127, 128, (2, 3, *kernel)).astype(np.int8)
    x = rng.integers(-128, 128, (2, 5, 6))

    phases = sub_pixel(weight, stride, pads, extra)
    expected = transposed(x, weight.astype(np.int64), stride, pads, extra)
    if expected.size:
        np.testing.assert_array_equal(by_phases(x, phases), expected)
    assert min(phases.pads) >= 0
    assert all(0 <= size < stride for size in phases.cut)


def test_no_more_taps_than_there_are() -> None:
    phases = sub_pixel(np.ones((4, 2, 4, 4), np.int8), 2, [1, 1, 1, 1])
    assert phases.weight.shape == (8, 4, 2, 2)
    assert (phases.pads, phases.cut) == ((1, 1, 1, 1), (1, 1, 1, 1))
    assert phases.weight.sum() == 4 * 2 * 4 * 4
