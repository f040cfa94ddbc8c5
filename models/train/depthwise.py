"""Depthwise CNN: inverted residuals, hard-swish, one squeeze-and-excitation (Howard et al., arXiv 1905.02244)."""

from __future__ import annotations

from torch import Tensor, nn


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Conv and BatchNorm, size-preserving at stride 1."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate that its image's channel means decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeeze, excite = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), squeeze, nn.ReLU(), excite, nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class InvertedResidual(nn.Module):
    """Widen 4 times, filter each channel by itself, narrow again; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, excite: bool = False) -> None:
        super().__init__()
        wide = 4 * inputs
        self.body = nn.Sequential(
            convolution(inputs, wide),
            nn.Hardswish(),
            convolution(wide, wide, kernel=3, stride=stride, groups=wide),
            nn.Hardswish(),
            SqueezeExcite(wide) if excite else nn.Identity(),
            convolution(wide, outputs),
        )
        self.same = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y if self.same else y


class Depthwise(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            convolution(1, 32, kernel=3),
            nn.Hardswish(),
            convolution(32, 32, kernel=3, stride=2, groups=32),
            nn.Hardswish(),
            convolution(32, 48),
            InvertedResidual(48, 48),
            InvertedResidual(48, 48),
            InvertedResidual(48, 48),
            InvertedResidual(48, 64, stride=2),
            InvertedResidual(64, 64, excite=True),
            convolution(64, 128),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(128, 10),
        )
