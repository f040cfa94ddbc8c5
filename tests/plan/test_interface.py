"""The scales of 8-bit inputs and outputs as metadata: written, read back bit by bit, refused where damaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.errors import ModelError
from qcompile.plan import interface_metadata, interface_params
from qcompile.quant import QuantParams

CODES = st.one_of(
    st.integers(0, 255).map(lambda z: np.asarray(z, np.uint8)),
    st.integers(-128, 127).map(lambda z: np.asarray(z, np.int8)),
)
SCALES = st.floats(2.0**-60, 2.0**60, width=32).map(lambda scale: np.asarray(scale, np.float32))


@given(SCALES, CODES, st.text(min_size=1))
def test_round_trip(scale: np.ndarray, zero_point: np.ndarray, name: str) -> None:
    params = QuantParams(scale, zero_point)
    assert interface_params({"author": "x", **interface_metadata(name, params)}) == {name: params}


def test_text() -> None:
    params = QuantParams(np.asarray(1 / 127, np.float32), np.asarray(128, np.uint8))
    assert interface_metadata("image", params) == {
        "qcompile.io.image": "scale=0.007874016, zero_point=128, dtype=uint8"
    }


@pytest.mark.parametrize(
    "text",
    ["", "scale=1", "scale=x, zero_point=0, dtype=uint8", "scale=-1, zero_point=0, dtype=int8",
     "scale=1, zero_point=300, dtype=uint8", "scale=1, zero_point=0, dtype=float32"],
)  # fmt: skip
def test_damaged(text: str) -> None:
    with pytest.raises(ModelError, match=r"^unreadable metadata 'qcompile\.io\.x'"):
        interface_params({"qcompile.io.x": text})
