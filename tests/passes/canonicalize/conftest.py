"""Rewrites of a few nodes: only the interface and the nodes are written out, weights are declared from their arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.pipeline import Pass, PassResult

CheckNodes = Callable[..., PassResult]
_TYPES = {
    "float16": "float16",
    "float32": "float",
    "float64": "double",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}


@pytest.fixture
def check_nodes(check_rewrite: Callable[..., PassResult]) -> CheckNodes:
    """`check(step, interface, before, after, values="", **options_and_arrays)`.

    `interface` reads "(float[1,2] x) => (float[1,2] y)", `before` and `after` are nodes (None: unchanged), `values`
    declares intermediates. Arrays become initializers where `before` reads them; one whose name is among the inputs
    can be overridden by a caller.
    """

    def check(
        step: Pass, interface: str, before: str, after: str | None, *, values: str = "", **given: Any
    ) -> PassResult:
        arrays = {n: a for n, a in given.items() if isinstance(a, np.ndarray) and _in(n, before)}
        options = {n: option for n, option in given.items() if not isinstance(option, np.ndarray)}
        declared = [_declare(n, a) for n, a in arrays.items() if not _in(n, interface)]

        def graph(nodes: str, weights: list[str]) -> str:
            known = ", ".join([*weights, *filter(None, [values])])
            return f'<ir_version: 10, opset_import: ["": 21]> g {interface} <{known}> {{ {nodes} }}'

        wanted = (
            None if after is None else graph(after, [f"float[1] {n} = {{0}}" for n in _free(after, interface + values)])
        )
        return check_rewrite(step, graph(before, declared), wanted, **options, **arrays)

    return check


def _in(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _free(nodes: str, known: str) -> list[str]:
    """Names that the nodes read but do not make: weights."""
    made = {name for group in re.findall(r"(\w[\w, ]*) = \w+ *[(<]", nodes) for name in re.findall(r"\w+", group)}
    read = [name for group in re.findall(r"\(([^()]*)\)", nodes) for name in re.findall(r"\w+", group)]
    return [name for name in dict.fromkeys(read) if name not in made and not _in(name, known)]


def _declare(name: str, array: np.ndarray) -> str:
    return f"{_TYPES[str(array.dtype)]}[{','.join(map(str, array.shape))}] {name}"
