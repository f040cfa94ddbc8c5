"""A name that is not there: a usage error that offers the near ones."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click


def check_name(kind: str, name: str, names: Sequence[str]) -> None:
    """Raise a usage error if the name is not among the names."""
    if name in names:
        return
    near = get_close_matches(name, names)
    said = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    raise click.UsageError(f"no {kind} {name!r}; {said}")
