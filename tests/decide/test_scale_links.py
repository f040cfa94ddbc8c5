"""Where scales of channels can move, where they cannot, and which factors fit a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import scale_links
from qcompile.decide.scale_links import migration_misfits

Model = Callable[..., ir.Model]

IMAGE = "g (float[1, 4, 8, 8] x, float[1, 4, 8, 8] z) => (float[1, 4, 8, 8] y) {{ {} }}"
TOKENS = "g (float[2, 3, 4] x) => (float[2, 3, 4] y) {{ {} }}"


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("a = Conv(x, kernel) y = Conv(a, kernel)", "a"),
        ("a = Conv(x, kernel) b = Relu(a) y = Conv(b, kernel)", "ab"),
        ("a = Conv(x, kernel) b = Mul(a, z) y = Conv(b, kernel)", "ab"),
        ("a = Conv(x, kernel) b = MaxPool<kernel_shape=[1, 1]>(a) y = Conv(b, kernel)", "ab"),
        ("a = Conv(x, kernel) b = Sigmoid(a) y = Conv(b, kernel)", ""),
        ("a = Conv(x, kernel) b = Clip(a, zero, six) y = Conv(b, kernel)", ""),
        ("a = Conv(x, kernel) b = Add(a, z) y = Conv(b, kernel)", ""),
        ("a = Conv(x, kernel) b = Mul(a, a) y = Conv(b, kernel)", ""),
        ("a = Conv(x, kernel) b = Relu(a) c = Mul(a, b) y = Conv(c, kernel)", ""),
        ("a = Conv(x, kernel) b = Conv(a, kernel) y = Add(a, b)", ""),
        ("a = Conv(x, kernel) b = Conv(z, kernel) y = Conv(a, b)", ""),
        ("a = Relu(x) y = Conv(a, kernel)", ""),
        ("a = Conv(x, kernel) y = Relu(a)", ""),
    ],
)
def test_links_of_pictures(model: Model, body: str, values: str) -> None:
    made = model(IMAGE.format(body), zero=np.float32(0).reshape(()), six=np.float32(6).reshape(()))
    assert ["".join(value.name or "" for value in link.values) for link in scale_links(made)] == (
        [values] if values else []
    )


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("a = MatMul(x, matrix) b = Add(a, vector) y = MatMul(b, matrix)", "ab"),
        ("a = MatMul(x, matrix) b = Add(a, one) y = MatMul(b, matrix)", ""),
        ("a = LayerNormalization(x, vector) y = MatMul(a, matrix)", "a"),
        ("a = LayerNormalization<axis=1>(x, plane) y = MatMul(a, matrix)", ""),
        ("a = MatMul(x, matrix) b = Transpose<perm=[1, 0, 2]>(a) y = MatMul(b, matrix)", "ab"),
        (
            "a = MatMul(x, matrix) b = Transpose<perm=[0, 2, 1]>(a) c = MatMul(b, small) y = Transpose(c)",
            "",
        ),
        ("a = Mul(x, vector) y = MatMul(a, matrix)", "a"),
        ("a = Mul(x, one) y = MatMul(a, matrix)", ""),
    ],
)
def test_links_of_sequences(model: Model, body: str, values: str) -> None:
    arrays = {"vector": np.ones(4), "one": np.ones(1), "plane": np.ones((3, 4)), "small": np.ones((3, 3))}
    made = model(TOKENS.format(body), **{name: array.astype(np.float32) for name, array in arrays.items()})
    assert ["".join(value.name or "" for value in link.values) for link in scale_links(made)] == (
        [values] if values else []
    )


@pytest.mark.parametrize(
    ("migrations", "why"),
    [
        ({}, []),
        ({"a": (1.0, 2.0, 4.0, 8.0), "b": (1.0, 2.0, 4.0, 8.0)}, []),
        ({"a": (1.0, 2.0, 4.0, 8.0)}, ["values from 'a' on have unlike factors"]),
        ({"a": (1.0, 2.0), "b": (1.0, 2.0)}, ["value 'a' needs 4 factors above 0"]),
        ({"a": (0.0,) * 4, "b": (0.0,) * 4}, ["value 'a' needs 4 factors above 0"]),
        ({"a": (np.inf,) * 4, "b": (np.inf,) * 4}, ["value 'a' needs 4 factors above 0"]),
        ({"y": (1.0,) * 4, "nowhere": (1.0,)}, ["value 'y' takes no factors", "value 'nowhere' takes no factors"]),
    ],
)
def test_factors_that_do_not_fit(model: Model, migrations: dict[str, tuple[float, ...]], why: list[str]) -> None:
    made = model(IMAGE.format("a = Conv(x, kernel) b = Relu(a) y = Conv(b, kernel)"))
    assert list(migration_misfits(migrations, made)) == why
