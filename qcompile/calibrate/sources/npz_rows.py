"""One .npz for all samples: arrays whose first axis counts them, cut into feeds row by row.

What a row is depends on the rank that the model declares for the input:

    one more than the model's    array[i] is the feed                                   [n,1,3,32,32] for [1,3,32,32]
    the model's                  the first axis is the batch: one row a feed, or as     [n,3,32,32] for [batch,3,32,32]
                                 many as the model fixes                                [8*n,3,32,32] for [8,3,32,32]
    a scalar for a scalar        every feed takes it
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from qcompile.calibrate.sources.npz import Member, members, readable
from qcompile.calibrate.sources.spec import Form, InputSpec
from qcompile.errors import CalibrationError


class NpzRows:
    """Rows are streamed: neither stored nor compressed arrays are held in memory."""

    def __init__(self, path: Path, specs: Sequence[InputSpec]) -> None:
        self._path = path
        shapes = {spec.name: spec.shape for spec in specs}
        with readable(path), ExitStack() as opened:
            found = opened.enter_context(members(path))
            weakref.finalize(self, opened.pop_all().close)
        self._cuts = {name: _Cut(name, member, shapes.get(name)) for name, member in found.items()}
        self._length = self._count()

    def _count(self) -> int:
        counts = {name: n for name, cut in self._cuts.items() if (n := cut.count(self._path)) is not None}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{n} for {name!r}" for name, n in counts.items())
            raise CalibrationError(f"different numbers of samples in {self._path} ({listed})")
        return next(iter(counts.values()), min(1, len(self._cuts)))

    def __len__(self) -> int:
        return self._length

    def where(self, index: int) -> str:
        """File and number."""
        return f"{self._path} sample {index}"

    def forms(self, index: int) -> Mapping[str, Form]:
        """The same for every sample."""
        return {name: cut.form() for name, cut in self._cuts.items()}

    def load(self, index: int) -> Mapping[str, np.ndarray]:
        """One row of every array."""
        with readable(self._path):
            return {name: cut.load(index) for name, cut in self._cuts.items()}


class _Cut:
    """How one array is cut into feeds."""

    def __init__(self, name: str, member: Member, wanted: tuple[int | str | None, ...] | None) -> None:
        self._name, self._member = name, member
        shape = member.form.shape
        self._stacked = wanted is not None and len(shape) == len(wanted) + 1
        batch = wanted[0] if wanted and not self._stacked else 1
        self._rows = batch if isinstance(batch, int) and batch > 0 else 1

    def count(self, path: Path) -> int | None:
        """Number of feeds, None where one array serves them all."""
        shape = self._member.form.shape
        if not shape:
            return None
        if shape[0] % self._rows:
            raise CalibrationError(
                f"wrong number of rows of {self._name!r} in {path} ({shape[0]}, the model takes {self._rows} at a time)"
            )
        return shape[0] // self._rows

    def form(self) -> Form:
        """Type and shape in one feed."""
        dtype, shape = self._member.form
        rows = () if self._stacked or not shape else (self._rows,)
        return Form(dtype, (*rows, *shape[1:]))

    def load(self, index: int) -> np.ndarray:
        """The array of one feed."""
        if not self._member.form.shape:
            return self._member.read()
        return self._member.rows(index * self._rows, self._rows).reshape(self.form().shape)
