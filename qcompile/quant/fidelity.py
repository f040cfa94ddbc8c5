"""Fidelity of outputs: SQNR, cosine, largest error, agreement; streamed, in memory that does not grow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qcompile.errors import ModelError

_CHUNK = 1 << 18
"""Elements that are widened to float64 at a time."""

Tensors = np.ndarray | list[np.ndarray]
"""What an output may be: a tensor, or a sequence of them."""


@dataclass(frozen=True)
class OutputFidelity:
    """How near one output is to the reference's, over all samples."""

    name: str
    sqnr_db: float
    """10 log10(sum signal^2 / sum noise^2); inf: equal; -inf: noise on a zero signal, or not finite."""
    cosine: float
    """Of all samples laid end to end, -1..1; 1 where both are zero, 0 where one is or is not finite."""
    max_abs: float
    """Largest difference of two elements."""
    agreement: float | None
    """Share, 0..1: of rows (last axis) with the largest entry in the same place; of equal elements for whole numbers
    and texts; None where an output has no row of two or more entries."""


class Comparison:
    """Accumulates outputs sample by sample; sums in float64.

    Where both outputs hold the same infinity, or NaN, they are equal there; any other value that is not finite makes
    the output's SQNR -inf.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._outputs = [_Output(name) for name in names]

    def update(self, reference: Sequence[Tensors], other: Sequence[Tensors]) -> None:
        """Add the outputs of one feed. Raises ModelError where number, shape or type of outputs forbid comparing."""
        if not len(reference) == len(other) == len(self._outputs):
            raise ModelError(f"outputs differ in number ({len(reference)} and {len(other)}); compare like models")
        for output, wanted, got in zip(self._outputs, reference, other, strict=True):
            output.update(wanted, got)

    def result(self) -> tuple[OutputFidelity, ...]:
        """One entry an output, in the order of the names."""
        return tuple(output.result() for output in self._outputs)


class _Output:
    """Running sums of one output."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.signal = self.noise = self.energy = self.product = self.max_abs = 0.0
        self.decisions = self.agreed = 0
        self.broken = False

    def update(self, wanted: Tensors, got: Tensors) -> None:
        if isinstance(wanted, list) and isinstance(got, list):
            if len(wanted) != len(got):
                raise ModelError(f"output {self.name!r} differs in length ({len(wanted)} and {len(got)} tensors)")
            for pair in zip(wanted, got, strict=True):
                self.update(*pair)
        else:
            self._compare(np.asarray(wanted), np.asarray(got))

    def _compare(self, wanted: np.ndarray, got: np.ndarray) -> None:
        if wanted.shape != got.shape:
            raise ModelError(f"output {self.name!r} differs in shape ({list(wanted.shape)} and {list(got.shape)})")
        if wanted.dtype.kind == got.dtype.kind == "O":  # texts and maps have no distance: only whether they agree
            self._count_decisions(wanted, got)
            return
        for array in (wanted, got):
            if array.dtype.kind not in "biuf":
                raise ModelError(f"output {self.name!r} cannot be compared (it holds no numbers: {array.dtype})")
        self._count_decisions(wanted, got)
        wanted, got = wanted.reshape(-1), got.reshape(-1)
        for start in range(0, wanted.size, _CHUNK):
            piece = slice(start, start + _CHUNK)
            self._add(wanted[piece].astype(np.float64), got[piece].astype(np.float64))

    def _count_decisions(self, wanted: np.ndarray, got: np.ndarray) -> None:
        if wanted.dtype.kind != "f":
            same = np.asarray(wanted == got)
        elif wanted.ndim >= 2 and wanted.shape[-1] >= 2:
            same = wanted.argmax(-1) == got.argmax(-1)
        else:
            return
        self.decisions += same.size
        self.agreed += int(same.sum())

    def _add(self, wanted: np.ndarray, got: np.ndarray) -> None:
        finite = np.isfinite(wanted) & np.isfinite(got)
        if not finite.all():
            self.broken |= not np.array_equal(wanted[~finite], got[~finite], equal_nan=True)
            wanted, got = wanted[finite], got[finite]
        error = got - wanted
        # sums of products, not BLAS: its threads would spin on every small output
        self.signal += float((wanted * wanted).sum())
        self.energy += float((got * got).sum())
        self.product += float((wanted * got).sum())
        self.noise += float((error * error).sum())
        self.max_abs = max(self.max_abs, float(np.abs(error).max(initial=0.0)))

    def result(self) -> OutputFidelity:
        agreement = self.agreed / self.decisions if self.decisions else None
        if self.broken:
            return OutputFidelity(self.name, -math.inf, 0.0, math.inf, agreement)
        return OutputFidelity(self.name, self._sqnr_db(), self._cosine(), self.max_abs, agreement)

    def _sqnr_db(self) -> float:
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    def _cosine(self) -> float:
        norms = math.sqrt(self.signal * self.energy)  # exact where both are the same
        if norms == 0:
            return float(self.signal == self.energy)
        return max(-1.0, min(1.0, self.product / norms))
