"""Einsum of two operands is a matrix product between permutations, for which there are far better kernels."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qcompile.ir import Names, attribute, rank
from qcompile.passes.canonicalize.node_pass import NodePass, Outcome, bypass
from qcompile.passes.canonicalize.replacing import insert

ELLIPSIS = "..."


class FoldEinsum(NodePass):
    """Write Einsum of two operands as MatMul, with Transpose and Reshape where it needs them.

    ```
    y = Einsum <equation = "bhqd,bhkd->bhqk"> (q, k)  =>  t = Transpose <perm = [0, 1, 3, 2]> (k); y = MatMul(q, t)
    y = Einsum <equation = "bhqk,bkhd->bqhd"> (p, v)  =>  t = Transpose <perm = [0, 2, 1, 3]> (v)
                                                          m = MatMul(p, t); y = Transpose <perm = [0, 2, 1, 3]> (m)
    y = Einsum <equation = "...i,ij"> (x, w)          =>  y = MatMul(x, w)
    y = Einsum <equation = "btd,dhk->bthk"> (x, w)    =>  m = MatMul(x, Reshape(w)); y = Reshape(m)
    ```
    It stays with one operand or more than two, with a label that occurs twice in an operand or in one operand alone
    (a diagonal, a sum), without a label to sum over or that only one operand has, where both operands share labels
    and one of them has several of a kind, and where the sizes behind a Reshape or the rank behind an ellipsis are
    unknown. Runs before fold-constants, which transposes and reshapes the weights. Preserves: float-equal up to
    rounding.
    """

    name = "fold-einsum"
    ops = ("Einsum",)

    def visit(self, node: ir.Node, names: Names) -> Outcome:
        """Rewrite one Einsum."""
        if len(node.inputs) != 2:
            return f"it has {len(node.inputs)} operands"
        product = _product(node)
        if isinstance(product, str):
            return product
        bypass(node, product.write(node, names))
        return True


@dataclass(frozen=True)
class _Operand:
    """A value and the label of each of its axes, one letter each."""

    value: ir.Value
    labels: str

    def size(self, label: str) -> int | ir.SymbolicDim | None:
        """Length of the axis; None where it is unknown or there is none."""
        shape = self.value.shape
        return shape[self.labels.index(label)] if shape is not None and label in self.labels else None

    def sizes(self, labels: str) -> list[int]:
        """Lengths of these axes, as far as they are numbers."""
        return [size for label in labels if isinstance(size := self.size(label), int)]


@dataclass(frozen=True)
class _Product:
    """`left` by `right`, to the labels of `result`."""

    left: _Operand
    right: _Operand
    result: str

    @property
    def shared(self) -> str:
        """Labels of a batch of products, in the result's order."""
        return "".join(label for label in self.result if label in self.left.labels and label in self.right.labels)

    @property
    def summed(self) -> str:
        """Labels of both operands that the result lacks."""
        return "".join(label for label in self.right.labels if label in self.left.labels and label not in self.result)

    @property
    def rows(self) -> str:
        """Labels of the left operand alone, in the result's order."""
        return "".join(label for label in self.result if label not in self.right.labels)

    @property
    def columns(self) -> str:
        """Labels of the right operand alone, in the result's order."""
        return "".join(label for label in self.result if label not in self.left.labels)

    @property
    def is_direct(self) -> bool:
        """Whether the product has the result's order of axes."""
        return self.shared + self.rows + self.columns == self.result

    @property
    def is_grouped(self) -> bool:
        """Whether several axes have to become one."""
        return len(self.summed) > 1 or len(self.columns) > 1

    def obstacle(self) -> str | None:
        """Why this is no matrix product."""
        both = self.left.labels + self.right.labels
        if any(len(set(operand.labels)) < len(operand.labels) for operand in (self.left, self.right)):
            return "a label occurs twice in an operand"
        if any(both.count(label) == 1 and label not in self.result for label in both):
            return "it sums within an operand"
        if not (self.summed and self.rows and self.columns):
            return "it is no product of matrices"
        if self.shared and (self.is_grouped or len(self.rows) > 1):
            return "it has a batch and several axes of a kind"
        if any(self.left.sizes(label) != self.right.sizes(label) for label in self.summed if self._is_known(label)):
            return "it stretches an axis that it sums over"
        grouped = self.summed + self.columns
        if self.is_grouped and len(self.right.sizes(grouped)) < len(grouped):
            return "the sizes of the axes that would be joined are unknown"
        return None

    def _is_known(self, label: str) -> bool:
        return bool(self.left.sizes(label) and self.right.sizes(label))

    def write(self, node: ir.Node, names: Names) -> ir.Value:
        """The result, made in front of the node by a MatMul that has the node's name."""
        left = _permuted(node, self.left, self.shared + self.rows + self.summed, names)
        right = _permuted(node, self.right, self.shared + self.summed + self.columns, names)
        if self.is_grouped:
            joined = [math.prod(self.right.sizes(labels)) for labels in (self.summed, self.columns)]
            right = _reshaped(node, right, joined, names)
        if len(self.summed) > 1:
            left = _reshaped(node, left, [*[0] * len(self.rows), math.prod(self.right.sizes(self.summed))], names)
        value = insert(node, "MatMul", [left, right], names, shape=_matmul_shape(left, right, len(self.shared)))
        matmul = value.producer()
        assert matmul is not None
        matmul.name = node.name
        if len(self.columns) > 1:
            value = _reshaped(node, value, [*[0] * len(self.rows), *self.right.sizes(self.columns)], names)
        return _permuted(node, _Operand(value, self.shared + self.rows + self.columns), self.result, names)


def _product(node: ir.Node) -> _Product | str:
    """The product that the node computes, the way round that needs the fewest permutations; or why it is none."""
    operands = _operands(node)
    if isinstance(operands, str):
        return operands
    left, right, result = operands
    found = [_Product(left, right, result), _Product(right, left, result)]
    found.sort(key=lambda product: not product.is_direct)
    obstacles = [product.obstacle() for product in found]
    return found[obstacles.index(None)] if None in obstacles else str(obstacles[0])


def _operands(node: ir.Node) -> tuple[_Operand, _Operand, str] | str:
    """Both operands and the labels of the result, with a letter for each axis behind an ellipsis."""
    terms, arrow, result = attribute(node, "equation").replace(" ", "").partition("->")
    if not arrow:
        once = sorted(label for label in set(terms) - set(",.") if terms.count(label) == 1)
        result = (ELLIPSIS if ELLIPSIS in terms else "") + "".join(once)
    free = [letter for letter in string.ascii_letters if letter not in terms]
    operands, hidden = [], 0
    for value, labels in zip(node.inputs, terms.split(","), strict=True):
        assert value is not None
        if ELLIPSIS in labels:
            dims = rank(value)
            if dims is None:
                return "the rank behind the ellipsis is unknown"
            count = dims - len(labels.replace(ELLIPSIS, ""))
            labels, hidden = labels.replace(ELLIPSIS, _last(free, count)), max(hidden, count)
        operands.append(_Operand(value, labels))
    return operands[0], operands[1], result.replace(ELLIPSIS, _last(free, hidden))


def _last(letters: Sequence[str], count: int) -> str:
    """Ellipses are aligned at their end."""
    return "".join(letters[len(letters) - count :])


def _permuted(node: ir.Node, operand: _Operand, wanted: str, names: Names) -> ir.Value:
    if operand.labels == wanted:
        return operand.value
    perm = [operand.labels.index(label) for label in wanted]
    shape = operand.value.shape
    permuted = None if shape is None else [shape[axis] for axis in perm]
    return insert(node, "Transpose", [operand.value], names, {"perm": perm}, shape=permuted)


def _matmul_shape(left: ir.Value, right: ir.Value, batch: int) -> list[int | ir.SymbolicDim] | None:
    """Shape of a product whose first axes are common to both, a 1 being stretched."""
    if left.shape is None or right.shape is None:
        return None
    stretched = [one if one != 1 else other for one, other in zip(left.shape[:batch], right.shape[:batch], strict=True)]
    return [*stretched, *left.shape[batch:-1], right.shape[-1]]


def _reshaped(node: ir.Node, value: ir.Value, shape: Sequence[int], names: Names) -> ir.Value:
    """Reshaped; a 0 takes that axis as it is."""
    assert isinstance(node.graph, ir.Graph)
    old = value.shape
    known = None if old is None else [size or old[axis] for axis, size in enumerate(shape)]
    target = names.initializer(node.graph, f"{node.name}_shape", np.array(shape, np.int64))
    return insert(node, "Reshape", [value, target], names, shape=known)
