"""How near quantized outputs are to float ones, accumulated over any number of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.errors import ModelError


@dataclass(frozen=True)
class OutputFidelity:
    """One output over all samples.

    Attributes:
        name: the output.
        sqnr_db: 10 log10(sum of signal squared / sum of noise squared); inf where equal, -inf where not finite.
        cosine: cosine of the angle between the outputs, all samples laid end to end.
        max_abs: largest absolute difference.
        agreement: share of equal decisions: argmax over the last axis of a float output, equal values of an integer
            one; None where there is nothing to decide.
    """

    name: str
    sqnr_db: float
    cosine: float
    max_abs: float
    agreement: float | None


@dataclass
class _Sums:
    signal: float = 0.0
    other: float = 0.0
    product: float = 0.0
    noise: float = 0.0
    max_abs: float = 0.0
    equal: int = 0
    decisions: int = 0
    finite: bool = True


@dataclass
class Comparison:
    """Sums over samples, one set for each named output; memory does not grow with the samples."""

    names: Sequence[str]
    _sums: list[_Sums] = field(init=False)

    def __post_init__(self) -> None:
        self._sums = [_Sums() for _ in self.names]

    def update(self, reference: Sequence[Any], other: Sequence[Any]) -> None:
        """Add one sample: outputs of both models in the order of `names`; what is no numeric tensor is passed over.

        Raises:
            ModelError: an output has another shape than its reference.
        """
        for name, sums, a, b in zip(self.names, self._sums, reference, other, strict=True):
            if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.dtype.kind not in "fiub":
                continue
            if a.shape != b.shape:
                raise ModelError(f"output {name!r} has shape {b.shape} instead of {a.shape}")
            _add(sums, a, b)

    def result(self) -> tuple[OutputFidelity, ...]:
        """Fidelity of every output over what was added so far."""
        return tuple(_fidelity(name, sums) for name, sums in zip(self.names, self._sums, strict=True))


def _add(sums: _Sums, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    decided = a.dtype.kind != "f" or (a.ndim >= 1 and a.shape[-1] >= 2)
    if decided and a.size:
        same = a.argmax(-1) == b.argmax(-1) if a.dtype.kind == "f" else a == b
        sums.equal += int(np.count_nonzero(same))
        sums.decisions += int(np.size(same))
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    known = np.isfinite(x)
    sums.finite &= bool(np.isfinite(y[known]).all())
    x, y = np.where(known, x, 0.0), np.where(known & np.isfinite(y), y, 0.0)
    difference = x - y
    sums.signal += float(x @ x)
    sums.other += float(y @ y)
    sums.product += float(x @ y)
    sums.noise += float(difference @ difference)
    sums.max_abs = max(sums.max_abs, float(np.abs(difference).max(initial=0.0)))


def _fidelity(name: str, sums: _Sums) -> OutputFidelity:
    if not sums.finite or (sums.noise > 0 and sums.signal == 0):
        sqnr_db = -math.inf
    else:
        sqnr_db = math.inf if sums.noise == 0 else 10 * math.log10(sums.signal / sums.noise)
    norm = math.sqrt(sums.signal * sums.other)
    cosine = sums.product / norm if norm else float(sums.noise == 0)
    agreement = sums.equal / sums.decisions if sums.decisions else None
    return OutputFidelity(name, sqnr_db, cosine, sums.max_abs, agreement)
