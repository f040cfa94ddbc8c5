"""Second moments, gathered piece by piece, and the patches that they are taken of."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.quant import Patches, SecondMoment

EVERY = 10**9


@given(
    pieces=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any),
    groups=st.integers(1, 3),
    inner=st.integers(1, 5),
)
def test_pieces_give_the_moment_of_the_whole(pieces: list[int], groups: int, inner: int) -> None:
    rng = np.random.default_rng(sum(pieces))
    vectors = [rng.normal(1, 1, (groups, n, inner)).astype(np.float32) for n in pieces]
    seen = SecondMoment()
    for piece in vectors:
        seen = seen.observe(piece)
    whole = np.concatenate(vectors, axis=1).astype(np.float64)
    np.testing.assert_allclose(seen.mean, whole.swapaxes(1, 2) @ whole / whole.shape[1], rtol=1e-4, atol=1e-4)


def test_nothing_seen_has_no_moment() -> None:
    for seen in (SecondMoment(), SecondMoment().observe(np.zeros((1, 0, 3), np.float32))):
        with pytest.raises(ValueError, match="nothing was observed"):
            _ = seen.mean


GEOMETRIES = {
    "1 axis": (Patches((3,), (2,), (1,), ((1, 0),)), (2, 3, 11)),
    "1x1": (Patches((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))), (2, 3, 4, 5)),
    "uneven": (Patches((3, 2), (2, 1), (1, 2), ((1, 2), (0, 1))), (2, 3, 9, 8)),
    "groups": (Patches((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), groups=2), (1, 4, 5, 5)),
    "depthwise": (Patches((3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)), groups=4), (2, 4, 6, 6)),
    "3 axes": (Patches((2, 1, 3), (1, 2, 1), (1, 1, 1), ((0, 0), (0, 0), (1, 1))), (1, 2, 4, 5, 6)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_patches_times_weights_are_the_convolution(name: str) -> None:
    patches, shape = GEOMETRIES[name]
    rng = np.random.default_rng(5)
    x = rng.normal(size=shape).astype(np.float32)
    w = rng.normal(size=(4, shape[1] // patches.groups, *patches.kernel)).astype(np.float32)
    pads = [p[0] for p in patches.pads] + [p[1] for p in patches.pads]
    text = f"""<ir_version: 10, opset_import: ["": 21]> g (float{list(shape)} x) => (float y) {{
      y = Conv <strides = {list(patches.strides)}, dilations = {list(patches.dilations)}, pads = {pads},
                group = {patches.groups}> (x, w)
    }}"""
    proto = ir.to_proto(ir.from_onnx_text(text, initializers=[ir.tensor(w, name="w")]))
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    (wanted,) = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    got = patches.of(x, EVERY) @ w.reshape(patches.groups, 4 // patches.groups, -1).swapaxes(1, 2)
    by_place = np.moveaxis(np.asarray(wanted), 1, -1).reshape(-1, patches.groups, 4 // patches.groups).swapaxes(0, 1)
    np.testing.assert_allclose(got, by_place, rtol=1e-4, atol=1e-4)


def test_rows_of_a_product() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(Patches().of(x, EVERY), x.reshape(1, 6, 4))


@pytest.mark.parametrize(("count", "most", "wanted"), [(7, 7, 7), (8, 7, 3), (100, 10, 10), (1000, 512, 334)])
def test_at_most_so_many(count: int, most: int, wanted: int) -> None:
    rows = Patches().of(np.arange(count, dtype=np.float32)[:, None], most)
    assert rows.shape == (1, wanted, 1)


def test_squares_too_large_for_float32_are_infinite_without_a_warning() -> None:
    huge = np.full((1, 2, 3), 1e30, np.float32)
    assert np.isinf(SecondMoment().observe(huge).mean).all()
