"""An option that takes several of some names, with commas between."""

from __future__ import annotations

from collections.abc import Callable, Collection

import click


def choices(known: Collection[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """The callback of an option: its names in the order given, all of them among the known ones."""

    def chosen(context: click.Context, option: click.Parameter, given: str) -> list[str]:
        names = [name.strip() for name in given.split(",")]
        for name in names:
            if name not in known:
                raise click.BadParameter(f"{name!r} is none of {', '.join(known)}")
        return names

    return chosen
