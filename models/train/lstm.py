"""LSTM that reads an image row by row (Hochreiter and Schmidhuber, 1997) and classifies its last state."""

from __future__ import annotations

from torch import Tensor, nn


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.LSTM(input_size=32, hidden_size=128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        states, _ = self.rows(image.squeeze(1))
        return self.head(states[:, -1])
