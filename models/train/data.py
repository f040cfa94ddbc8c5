"""Digits of scikit-learn, 8x8, put on 32x32 under a random affine map, contrast, offset and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

SIZE = 32
TEST, CALIBRATION = 800, 128


def split() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, test images and labels; images float32 (n, 1, 8, 8) in 0..1, no original in both."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images = torch.from_numpy(digits.images[order]).float().unsqueeze(1) / 16
    labels = torch.from_numpy(digits.target[order]).long()
    return images[TEST:], labels[TEST:], images[:TEST], labels[:TEST]


def augment(originals: Tensor, random: torch.Generator) -> Tensor:
    """One uint8 image (n, 1, 32, 32) per original: turned, scaled, sheared, shifted, dimmed and noisy."""
    count = len(originals)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=random) * (high - low) + low

    angle, scale, shear = uniform(-0.3, 0.3), uniform(0.95, 1.4), uniform(-0.2, 0.2)
    rows = [
        torch.stack([scale * angle.cos(), scale * (shear - angle.sin()), uniform(-0.2, 0.2)], 1),
        torch.stack([scale * angle.sin(), scale * angle.cos(), uniform(-0.2, 0.2)], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, SIZE, SIZE], align_corners=False)
    large = functional.interpolate(originals, size=(SIZE, SIZE), mode="bicubic", align_corners=False)
    moved = functional.grid_sample(large, grid, align_corners=False)
    contrast, offset = uniform(0.4, 1.0).view(-1, 1, 1, 1), uniform(0.0, 0.3).view(-1, 1, 1, 1)
    noise = 0.1 * torch.randn(moved.shape, generator=random)
    return ((moved * contrast + offset + noise).clamp(0, 1) * 255).round().to(torch.uint8)


def write(path: Path) -> None:
    """Writes what the models ship with: calibration images, test images and the labels of the latter."""
    train, _, test, labels = split()
    random = torch.Generator().manual_seed(1)
    np.savez_compressed(
        path,
        calibration=augment(train[:CALIBRATION], random).squeeze(1).numpy(),
        test=augment(test, random).squeeze(1).numpy(),
        labels=labels.to(torch.uint8).numpy(),
    )
