"""Transformer encoder over 8x8 patches that overlap by half, pre-LayerNorm (Dosovitskiy et al., arXiv 2010.11929)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TOKENS, WIDTH, HEADS = 49, 64, 4


class Attention(nn.Module):
    """Scaled dot products, spelled out so that the exported graph is MatMul and Softmax with fixed shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (self._split(project(x)) for project in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5
        mixed = scores.softmax(-1) @ value
        return self.out(mixed.transpose(1, 2).reshape(-1, TOKENS, WIDTH))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(WIDTH), Attention())
        wide = 4 * WIDTH
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, wide), nn.GELU(), nn.Linear(wide, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.feed_forward(x)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, kernel_size=8, stride=4)
        self.position = nn.Parameter(0.1 * torch.randn(1, TOKENS, WIDTH))
        self.blocks = nn.Sequential(Block(), Block(), nn.LayerNorm(WIDTH))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).reshape(-1, WIDTH, TOKENS).transpose(1, 2)
        return self.head(self.blocks(tokens + self.position).mean(1))
