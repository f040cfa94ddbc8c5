"""use-global-pool: one op for the mean of each channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.use_global_pool import UseGlobalPool
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

KEPT = "(float[2,3,4,5] x) => (float[2,3,1,1] z)"
AXES = {"hw": np.array([2, 3]), "wh": np.array([-1, -2]), "h": np.array([2]), "dhw": np.array([2, 3, 4])}


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        (KEPT, "z = ReduceMean(x, hw)"),
        (KEPT, "z = ReduceMean(x, wh)"),
        ("(float[2,3,2,4,5] x) => (float[2,3,1,1,1] z)", "z = ReduceMean(x, dhw)"),
        ("(float[N,3,H,W] x) => (float[N,3,1,1] z)", "z = ReduceMean(x, hw)"),
        (KEPT, "z = AveragePool <kernel_shape = [4, 5]> (x)"),
        (KEPT, "z = AveragePool <kernel_shape = [4, 5], strides = [4, 5], pads = [0, 0, 0, 0]> (x)"),
        (KEPT.replace("float", "float16"), "z = ReduceMean(x, hw)"),
    ],
    ids=["mean", "from-end", "volume", "dynamic", "pool", "pool-with-strides", "half"],
)
def test_it_pools(check_nodes: CheckNodes, interface: str, before: str) -> None:
    tolerance = 2e-3 if "float16" in interface else 1e-5
    check_nodes(UseGlobalPool(), interface, before, "z = GlobalAveragePool(x)", tolerance=tolerance, **AXES)


def test_dropped_axes_are_flattened(check_nodes: CheckNodes) -> None:
    before, after = "[m] z = ReduceMean <keepdims = 0> (x, hw)", "[p] a = GlobalAveragePool(x) [m] z = Flatten(a)"
    after = after.replace("[p] a", "[m_GlobalAveragePool] z_globalaveragepool").replace("(a)", "(z_globalaveragepool)")
    check_nodes(UseGlobalPool(), "(float[N,3,4,5] x) => (float[N,3] z)", before, after, **AXES)


@pytest.mark.parametrize(
    ("interface", "before"),
    [
        ("(float[2,3,4,5] x) => (float[2,3,1,5] z)", "z = ReduceMean(x, h)"),
        ("(float[2,3,4] x) => (float[2,3,1] z)", "z = ReduceMean(x, h)"),
        ("(float[2,3,4,5] x) => (float[1,1,1,1] z)", "z = ReduceMean(x)"),
        (KEPT.replace("float", "double"), "z = ReduceMean(x, hw)"),
        ("(float[2,3,4,5] x) => (float[2,3,1,2] z)", "z = AveragePool <kernel_shape = [4, 4]> (x)"),
        (KEPT.replace("4,5", "H,W"), "z = AveragePool <kernel_shape = [2, 2]> (x)"),
        (KEPT, "z = AveragePool <kernel_shape = [4, 5], pads = [1, 0, 0, 0], strides = [2, 1]> (x)"),
    ],
    ids=["one-axis", "tokens", "all-axes", "double", "smaller-kernel", "size-unknown", "padded"],
)
def test_it_stays(check_nodes: CheckNodes, interface: str, before: str) -> None:
    check_nodes(UseGlobalPool(), interface, before, None, **AXES)
