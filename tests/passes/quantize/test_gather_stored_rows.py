"""gather-stored-rows: of an 8-bit embedding table only the rows that are read become float."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qcompile.passes.quantize.gather_stored_rows import GatherStoredRows

CheckRewrite = Callable[..., Any]

RNG = np.random.default_rng(5)
TABLE: dict[str, np.ndarray] = {
    "q": RNG.integers(-127, 128, (10, 4)).astype(np.int8),
    "s": RNG.uniform(0.001, 0.1, 10).astype(np.float32),
    "z": np.zeros(10, np.int8),
}
DECLARED = "int8[10,4] q, float[10] s, int8[10] z"
STORED = "int8[10,4] q, float[10,1] y_scale"
ROWS = (
    "[gather] y_quantized = Gather <axis = 0> (q, ids) [gather_scale] y_scales = Gather <axis = 0> (y_scale, ids) "
    "[gather_Cast] y_cast = Cast <to = 1> (y_quantized) [gather_Mul] {} = Mul(y_cast, y_scales)"
)


def graph(nodes: str, declared: str = DECLARED, interface: str = "(int64[2,3] ids) => (float[2,3,4] y)") -> str:
    return f'<ir_version: 10, opset_import: ["": 21]> g {interface} <{declared}> {{ {nodes} }}'


def ids(*shape: int) -> dict[str, np.ndarray]:
    """Rows of the table, counted from the end, too."""
    return {"ids": RNG.integers(-10, 10, shape)}


@pytest.mark.parametrize(("size", "result"), [((2, 3), "[2,3,4]"), ((3,), "[3,4]"), ((), "[4]")])
def test_ids_of_any_shape(size: tuple[int, ...], result: str, check_rewrite: CheckRewrite) -> None:
    interface = f"(int64{list(size) or ''} ids) => (float{result} y)"
    before = "[dq] d = DequantizeLinear<axis = 0>(q, s, z) [gather] y = Gather(d, ids)"
    check_rewrite(
        GatherStoredRows(),
        graph(before, interface=interface),
        graph(ROWS.format("y"), STORED, interface),
        feed=ids(*size),
        tolerance=0,
        **TABLE,
    )


def test_what_reads_the_rows_reads_the_product(check_rewrite: CheckRewrite) -> None:
    before = "[dq] d = DequantizeLinear<axis = 0>(q, s, z) [gather] e = Gather(d, ids) [neg] y = Neg(e)"
    rows = ROWS.replace("y_", "e_").format("e")
    check_rewrite(
        GatherStoredRows(),
        graph(before),
        graph(f"{rows} [neg] y = Neg(e)", STORED.replace("y_scale", "e_scale")),
        feed=ids(2, 3),
        tolerance=0,
        **TABLE,
    )


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ("d = DequantizeLinear<axis = 0>(q, s, z) y = Gather<axis = 1>(d, ids)", "[10,2,3]"),
        ("d = DequantizeLinear<axis = 0>(q, s, z) n = Neg(d) y = Gather(n, ids)", "[2,3,4]"),
        ("y = Gather(q, ids)", None),
    ],
    ids=["columns", "changed before", "8-bit all along"],
)
def test_hands_off(nodes: str, shape: str | None, check_rewrite: CheckRewrite) -> None:
    output = "int8[2,3,4] y" if shape is None else f"float{shape} y"
    feed = {"ids": RNG.integers(0, 4, (2, 3))}
    used = TABLE if shape else {"q": TABLE["q"]}
    declared = DECLARED if shape else "int8[10,4] q"
    text = graph(nodes, declared, f"(int64[2,3] ids) => ({output})")
    check_rewrite(GatherStoredRows(), text, None, feed=feed, **used)


def test_scales_of_columns_cannot_be_gathered(check_rewrite: CheckRewrite) -> None:
    arrays = {"q": TABLE["q"], "s": TABLE["s"][:4], "z": TABLE["z"][:4]}
    text = graph("d = DequantizeLinear<axis = 1>(q, s, z) y = Gather(d, ids)", "int8[10,4] q, float[4] s, int8[4] z")
    check_rewrite(GatherStoredRows(), text, None, feed=ids(2, 3), **arrays)
