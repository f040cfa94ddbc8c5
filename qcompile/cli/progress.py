"""Progress on stderr: a bar on a terminal, a few plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qcompile.api import Progress

LINES = 8
"""Plain lines a phase, at most (and one for its end)."""


@contextmanager
def progress(quiet: bool) -> Iterator[Progress | None]:
    """The callback that shows how far the work is, or None when quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bars() as callback:
            yield callback
    else:
        yield _Lines()


class _Lines:
    """`calibrate: 32/128`, at even distances."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if total is None:
            if phase not in self._next:
                click.echo(phase, err=True)
            self._next[phase] = done
            return
        step = max(1, math.ceil(total / LINES))
        if done >= self._next.get(phase, step):
            click.echo(f"{phase}: {done}/{total}", err=True)
            self._next[phase] = total + 1 if done >= total else min(done - done % step + step, total)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description:<14}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(elapsed_when_finished=True),
    )
    # What a command prints on stdout meanwhile must not end up on stderr.
    with bars.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as display:
        current = ("", display.add_task("", total=None))

        def show(phase: str, done: int, total: int | None) -> None:
            nonlocal current
            if phase != current[0]:  # one bar: a phase that begins ends the one before
                display.remove_task(current[1])
                current = (phase, display.add_task(phase, total=total))
            display.update(current[1], completed=done, total=total)

        yield show
