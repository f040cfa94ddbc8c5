"""How a result tells those who feed it the scales of its 8-bit inputs and outputs: entries of its metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from qcompile.errors import ModelError
from qcompile.quant import QuantParams

KEY = "qcompile.io."
"""Followed by the name of an input or output; the value reads `scale=0.0078, zero_point=128, dtype=uint8`."""

_TEXT = re.compile(r"scale=(\S+), zero_point=(-?\d+), dtype=(u?int8)")


def interface_metadata(name: str, params: QuantParams) -> dict[str, str]:
    """The entry for one input or output; the scale comes back bit by bit."""
    text = f"scale={params.scale[()]!s}, zero_point={params.zero_point[()]!s}, dtype={params.zero_point.dtype}"
    return {f"{KEY}{name}": text}


def interface_params(metadata: Mapping[str, str]) -> dict[str, QuantParams]:
    """Parameters of the 8-bit inputs and outputs by name. Raises ModelError for an entry that is none."""
    return {key.removeprefix(KEY): _parsed(key, text) for key, text in metadata.items() if key.startswith(KEY)}


def _parsed(key: str, text: str) -> QuantParams:
    found = _TEXT.fullmatch(text)
    try:
        assert found is not None
        scale, zero_point, dtype = found.groups()
        return QuantParams(np.asarray(scale, np.float32), np.asarray(int(zero_point), np.dtype(dtype)))
    except (AssertionError, ValueError, OverflowError) as error:
        raise ModelError(f"unreadable metadata {key!r} ({text!r}); compile the model again") from error
