"""The scale of pictures is read from what a first convolution recorded of them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.calibrate.picture_scales import SPANS, Span, likely_span
from qcompile.calibrate.pictures import picture


def conv(nodes: str, **weights: np.ndarray) -> ir.Node:
    """The first node of a graph that reads a picture."""
    model = ir.from_onnx_text(
        f'<ir_version: 10, opset_import: ["": 21]> g (float[1,3,H,W] x) => (float[1,16,P,Q] y) {{ {nodes} }}',
        initializers=[ir.tensor(array.astype(np.float32), name=name) for name, array in weights.items()],
    )
    return model.graph[0]


def trained(span: Span, seed: int = 7) -> dict[str, np.ndarray]:
    """A convolution, and what batch normalization behind it has recorded on pictures of this span."""
    rng = np.random.default_rng(seed)
    w, scale, shift = rng.standard_normal((16, 3, 3, 3)), rng.uniform(0.5, 2, 16), rng.standard_normal(16)
    pixels = picture((3, 3, 40, 40), 1, span, rng)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3), (2, 3))
    seen = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))).reshape(-1, 16)
    return {"w": w, "scale": scale, "shift": shift, "mean": seen.mean(0), "var": seen.var(0)}


@pytest.mark.parametrize("span", SPANS)
def test_batch_normalization_tells_the_scale(span: Span) -> None:
    node = conv("c = Conv(x, w) y = BatchNormalization(c, scale, shift, mean, var)", **trained(span))
    assert likely_span(node) == span


def folded(span: Span) -> dict[str, np.ndarray]:
    """The same with the normalization in weights and bias."""
    part = trained(span)
    gain = part["scale"] / np.sqrt(part["var"])
    return {"w": part["w"] * gain[:, None, None, None], "b": part["shift"] - part["mean"] * gain}


@pytest.mark.parametrize(("span", "size"), [(SPANS[0], 1), (SPANS[3], 255)])
def test_a_bias_tells_bytes_from_small_numbers(span: Span, size: float) -> None:
    black, white = likely_span(conv("y = Conv(x, w, b)", **folded(span))) or (0, 0)
    assert size / 5 < white - black < 5 * size


def test_a_bias_may_come_in_an_add() -> None:
    weights = folded(SPANS[0])
    apart = conv("c = Conv(x, w) y = Add(c, b)", w=weights["w"], b=weights["b"].reshape(16, 1, 1))
    assert likely_span(apart) is not None
    assert likely_span(apart) == likely_span(conv("y = Conv(x, w, b)", **weights))


def test_without_a_bias_nothing_is_told() -> None:
    weights = folded(SPANS[0])
    assert likely_span(conv("y = Conv(x, w)", w=weights["w"])) is None
    assert likely_span(conv("y = Conv(x, w, b)", w=weights["w"], b=np.zeros(16))) is None
    assert likely_span(conv("y = Conv(x, w, b)", w=np.zeros((16, 3, 3, 3)), b=weights["b"])) is None
