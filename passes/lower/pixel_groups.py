"""What a convolution along the width becomes when it reads four pixels as one: the arithmetic, without a graph."""

from __future__ import annotations

from dataclasses import dataclass

GROUP = 4
"""Pixels in a group: the fewest that make a multiple of 4 channels of 1, 2 or 3, as the runtime's kernel asks for."""


@dataclass(frozen=True)
class PixelGroups:
    """A convolution of stride 1, 2 or 4, as seen along the width. G groups of inputs give G + `more` groups of outputs.

    The last groups hold pixels that are not asked for where the width is no multiple of `GROUP`, or the output's width
    none of `pixels`.
    """

    kernel: int
    """Its width."""
    stride: int
    begin: int
    """Pixels that it pads on the left."""
    end: int

    @property
    def pixels(self) -> int:
        """Outputs in a group."""
        return GROUP // self.stride

    @property
    def excess(self) -> int:
        """By how much the width of the padded input exceeds that of the kernel, beyond the width of the input."""
        return self.begin + self.end - self.kernel

    def out_width(self, width: int) -> int:
        """Width of its output for a width of its input."""
        return (width + self.excess) // self.stride + 1

    @property
    def groups(self) -> range:
        """The groups of inputs that the outputs of group 0 read."""
        last = self.stride * (self.pixels - 1) - self.begin + self.kernel - 1
        return range(-self.begin // GROUP, last // GROUP + 1)

    @property
    def pads(self) -> tuple[int, int]:
        """Groups to pad on the left and on the right."""
        before, beyond = -self.groups[0], self.excess // self.stride + 1
        after = -(-beyond // self.pixels) + len(self.groups) - 1 - before
        return before, max(after, 0)

    @property
    def more(self) -> int:
        """How many groups of outputs there are beyond the number of groups of inputs."""
        return sum(self.pads) + 1 - len(self.groups)

    @property
    def taps_before(self) -> int:
        """How many pixels of the groups come before the first one that output 0 reads."""
        return -self.begin - GROUP * self.groups[0]
