"""Equal computations are shared, random ones and outputs are left alone."""

from __future__ import annotations

from collections.abc import Callable

from qcompile.passes.canonicalize import ShareCommon

HEADER = '<ir_version: 10, opset_import: ["": 21]>\n'


def test_shape_arithmetic_is_shared(check_rewrite: Callable[..., object]) -> None:
    check_rewrite(
        ShareCommon(),
        HEADER
        + """g (float[N, 4] x) => (int64[4] y) {
    [shape1] a = Shape(x)
    [abs1] b = Abs(a)
    [shape2] c = Shape(x)
    [abs2] d = Abs(c)
    [join] y = Concat <axis: int = 0> (b, d)
}""",
        HEADER
        + """g (float[N, 4] x) => (int64[4] y) {
    [shape1] a = Shape(x)
    [abs1] b = Abs(a)
    [join] y = Concat <axis: int = 0> (b, b)
}""",
    )


def test_outputs_keep_their_names(check_rewrite: Callable[..., object]) -> None:
    text = """g (float[2, 4] x) => (float[2, 4] y, float[2, 4] z) {
    [one] y = Abs(x)
    [two] z = Neg(x)
}"""
    check_rewrite(ShareCommon(), HEADER + text, None)
