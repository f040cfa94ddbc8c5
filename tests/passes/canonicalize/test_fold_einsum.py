"""fold-einsum: matrix products between permutations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.passes.canonicalize.fold_einsum import FoldEinsum
from qcompile.pipeline import Context, PassResult

CheckNodes = Callable[..., PassResult]

SIZES = {"b": 2, "h": 3, "q": 4, "k": 5, "d": 6, "i": 4, "j": 5, "t": 4, "e": 12, "n": 3}


def shape(labels: str) -> str:
    return "float[" + ",".join(str(SIZES[label]) for label in labels) + "]"


def interface(equation: str) -> str:
    terms, result = equation.split("->")
    left, right = terms.split(",")
    return f"({shape(left)} x, {shape(right)} w) => ({shape(result)} y)"


def einsum(equation: str) -> str:
    return f'[e] y = Einsum <equation = "{equation}"> (x, w)'


def transpose(out: str, source: str, perm: list[int], name: str) -> str:
    return f"[{name}] {out} = Transpose <perm = {perm}> ({source}) "


TRANSPOSED = "y_transpose"


@pytest.mark.parametrize(
    ("equation", "after"),
    [
        ("ij,jk->ik", "[e] y = MatMul(x, w)"),
        ("bhqd,bhdk->bhqk", "[e] y = MatMul(x, w)"),
        (
            "bhqd,bhkd->bhqk",
            transpose(TRANSPOSED, "w", [0, 1, 3, 2], "e_Transpose") + "[e] y = MatMul(x, y_transpose)",
        ),
        (
            "bqhd,bkhd->bhqk",
            transpose(TRANSPOSED, "x", [0, 2, 1, 3], "e_Transpose")
            + transpose(f"{TRANSPOSED}_1", "w", [0, 2, 3, 1], "e_Transpose_1")
            + "[e] y = MatMul(y_transpose, y_transpose_1)",
        ),
        (
            "bhqk,bkhd->bqhd",
            transpose(TRANSPOSED, "w", [0, 2, 1, 3], "e_Transpose")
            + "[e] y_matmul = MatMul(x, y_transpose) "
            + transpose("y", "y_matmul", [0, 2, 1, 3], "e_Transpose_1"),
        ),
        (
            "ij,jk->ki",
            transpose(TRANSPOSED, "w", [1, 0], "e_Transpose")
            + transpose(f"{TRANSPOSED}_1", "x", [1, 0], "e_Transpose_1")
            + "[e] y = MatMul(y_transpose, y_transpose_1)",
        ),
        ("btd,dk->btk", "[e] y = MatMul(x, w)"),
    ],
)
def test_products(check_nodes: CheckNodes, equation: str, after: str) -> None:
    check_nodes(FoldEinsum(), interface(equation), einsum(equation), after)


@pytest.mark.parametrize(
    ("signature", "equation"),
    [
        ("(float[2,3,4,5] x, float[5,6] w) => (float[2,3,4,6] y)", "...ij,jk->...ik"),
        ("(float[2,3,4,5] x, float[5,6] w) => (float[2,3,4,6] y)", "...j,jk"),
        ("(float[2,3,4,5] x, float[1,3,5,6] w) => (float[2,3,4,6] y)", "...ij,...jk->...ik"),
        ("(float[N,T,5] x, float[5,6] w) => (float[N,T,6] y)", "btd, dk -> btk"),
        ("(float[4,5] x, float[5,6] w) => (float[4,6] y)", "ij,jk"),
    ],
    ids=["ellipsis", "implicit-ellipsis", "two-ellipses", "dynamic", "implicit"],
)
def test_equations(check_nodes: CheckNodes, signature: str, equation: str) -> None:
    check_nodes(FoldEinsum(), signature, einsum(equation), "[e] y = MatMul(x, w)")


def test_heads_in_one_axis_of_the_weight(check_nodes: CheckNodes) -> None:
    after = "[e_Reshape] r = Reshape(w, e_shape) [e] m = MatMul(x, r) [e_Reshape_1] y = Reshape(m, e_shape_1)"
    after = after.replace("r = ", "y_reshape = ").replace(" r)", " y_reshape)").replace("m = ", "y_matmul = ")
    after = after.replace("(m,", "(y_matmul,")
    w = np.random.default_rng(7).normal(size=(6, 3, 5)).astype(np.float32)
    signature = "(float[N,4,6] x) => (float[N,4,3,5] y)"
    check_nodes(FoldEinsum(), signature, einsum("btd,dhk->bthk"), after, w=w)


def test_heads_summed_over(check_nodes: CheckNodes) -> None:
    after = "[e_Reshape] y_reshape = Reshape(w, e_shape) [e_Reshape_1] y_reshape_1 = Reshape(x, e_shape_1)"
    after += " [e] y = MatMul(y_reshape_1, y_reshape)"
    w = np.random.default_rng(8).normal(size=(3, 5, 6)).astype(np.float32)
    check_nodes(FoldEinsum(), "(float[N,4,3,5] x) => (float[N,4,6] y)", einsum("bthk,hkd->btd"), after, w=w)


@pytest.mark.parametrize(
    ("signature", "equation"),
    [
        ("(float[4,4] x, float[4,5] w) => (float[4,5] y)", "ii,ij->ij"),
        ("(float[4,5] x, float[5,6] w) => (float[6] y)", "ij,jk->k"),
        ("(float[4,5] x, float[4,5] w) => (float[4,5] y)", "ij,ij->ij"),
        ("(float[5] x, float[5,6] w) => (float[6] y)", "j,jk->k"),
        ("(float[4] x, float[6] w) => (float[4,6] y)", "i,j->ij"),
        ("(float[2,4,3,5] x, float[2,6,5] w) => (float[2,4,3,6] y)", "bqgd,bkd->bqgk"),
        ("(float[4,N,5] x, float[N,5,6] w) => (float[4,6] y)", "ihk,hkd->id"),
    ],
    ids=["diagonal", "sum", "elementwise", "vector", "outer", "batch-and-groups", "sizes-unknown"],
)
def test_it_stays_and_says_why(check_nodes: CheckNodes, signature: str, equation: str) -> None:
    assert check_nodes(FoldEinsum(), signature, einsum(equation), None).declined


@pytest.mark.parametrize("operands", ["(x)", "(x, x, x)"])
def test_other_numbers_of_operands_stay(check_nodes: CheckNodes, operands: str) -> None:
    equation = ",".join(["ij"] * (operands.count(",") + 1)) + "->ij"
    before = f'y = Einsum <equation = "{equation}"> {operands}'
    assert check_nodes(FoldEinsum(), "(float[4,5] x) => (float[4,5] y)", before, None).declined


def test_what_lies_between_has_its_shape() -> None:
    model = ir.from_onnx_text(
        '<ir_version: 10, opset_import: ["": 21]> g (float[B,3,4,5] p, float[B,5,3,6] v) => (float[B,4,3,6] y)'
        '{ y = Einsum <equation = "bhqk,bkhd->bqhd"> (p, v) }'
    )
    FoldEinsum().run(model, Context())
    shapes = [tuple(str(dim) for dim in node.outputs[0].shape or ()) for node in model.graph]
    assert shapes == [("B", "3", "5", "6"), ("B", "3", "4", "6"), ("B", "4", "3", "6")]
