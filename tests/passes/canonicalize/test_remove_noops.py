"""remove-noops: each op that can do nothing, and the cases where it does something after all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qcompile.passes.canonicalize.remove_noops import RemoveNoops
from qcompile.pipeline import PassResult

CheckNodes = Callable[..., PassResult]

ARRAYS = {
    "zero": np.zeros(1, "float32"),
    "one": np.ones((), "float32"),
    "ones": np.ones((1, 1, 4, 1), "float32"),
    "grow": np.ones((3, 1, 1, 1, 1), "float32"),
    "wide": np.zeros((3, 1, 1, 1), "float32"),
    "none": np.zeros(4, "int64"),
    "each": np.ones(4, "int64"),
    "back": np.full(4, -1, "int64"),
    "far": np.full(4, 2**63 - 1, "int64"),
    "twice": np.full(4, 2, "int64"),
    "shape": np.array([1, 2, 4, 4]),
    "copied": np.array([0, 2, -1, 4]),
    "guess": np.array([-1, 4, 2, 4]),
    "nopads": np.zeros(8, "int64"),
    "edge": np.array([0, 0, 0, 0, 0, 0, 0, 1]),
    "off": np.array(False),
    "on": np.array(True),
    "ratio": np.array(0.5, "float32"),
}
KNOWN = "(float[1,2,4,4] x) => (float[1,2,4,4] z)"
TYPED = "float[1,2,4,4] y"
NODES = [
    "Identity(x)",
    "Dropout(x)",
    "Dropout(x, ratio, off)",
    "Cast <to = 1> (x)",
    "Clip(x)",
    "Reshape(x, shape)",
    "Reshape(x, copied)",
    "Expand(x, shape)",
    "Expand(x, each)",
    "Tile(x, each)",
    "Slice(x, none, far)",
    "Slice(x, none, shape, none_axes)",
    "Transpose <perm = [0, 1, 2, 3]> (x)",
    "Pad(x, nopads)",
    "Concat <axis = 1> (x)",
    "Sum(x)",
    "Max(x)",
    "Min(x)",
    "Mean(x)",
    "Add(x, zero)",
    "Add(zero, x)",
    "Sub(x, zero)",
    "Mul(x, ones)",
    "Mul(one, x)",
    "Div(x, one)",
    "AveragePool <kernel_shape = [1, 1]> (x)",
    "MaxPool <kernel_shape = [1, 1], strides = [1, 1]> (x)",
]


@pytest.mark.parametrize("node", NODES)
def test_it_goes(check_nodes: CheckNodes, node: str) -> None:
    arrays = ARRAYS | {"none_axes": np.arange(4)}
    check_nodes(RemoveNoops(), KNOWN, f"y = {node} z = Relu(y)", "z = Relu(x)", values=TYPED, **arrays)


@pytest.mark.parametrize("node", ["Flatten(u)", "Squeeze(u)", "Reshape(u, flat)"])
def test_a_matrix_that_is_flat_already(check_nodes: CheckNodes, node: str) -> None:
    interface, values = "(float[2,3] x) => (float[2,3] z)", "float[2,3] u, float[2,3] y"
    arrays = {"flat": np.array([2, -1])}
    check_nodes(
        RemoveNoops(),
        interface,
        f"u = Relu(x) y = {node} z = Abs(y)",
        "u = Relu(x) z = Abs(u)",
        values=values,
        **arrays,
    )


@pytest.mark.parametrize(
    "node", ["Reshape(x, copied)", "Slice(x, none, far)", "Add(x, zero)", "Mul(x, ones)", "Expand(x, each)"]
)
def test_unknown_dimensions_do_not_matter(check_nodes: CheckNodes, node: str) -> None:
    interface = "(float[N,2,4,4] x) => (float[N,2,4,4] z)"
    check_nodes(RemoveNoops(), interface, f"y = {node} z = Relu(y)", "z = Relu(x)", **ARRAYS)


@pytest.mark.parametrize(
    "node",
    [
        "Dropout(x, ratio, on)",
        "Cast <to = 11> (x)",
        "Reshape(x, guess)",
        "Expand(x, twice_1)",
        "Tile(x, twice)",
        "Slice(x, back, none_far, axes, back)",
        "Transpose <perm = [0, 1, 3, 2]> (x)",
        "Pad(x, edge)",
        "Concat <axis = 1> (x, x)",
        "Add(x, one)",
        "Sub(zero, x)",
        "Div(one, x)",
        "Mul(x, grow)",
        "Add(x, wide)",
        "MaxPool <kernel_shape = [1, 1], strides = [2, 2]> (x)",
        "LpPool <kernel_shape = [1, 1]> (x)",
    ],
)
def test_it_does_something(check_nodes: CheckNodes, node: str) -> None:
    interface = "(float[1,2,4,4] x) => (z)"
    arrays = ARRAYS | {"none_far": np.full(4, -(2**62)), "axes": np.arange(4), "twice_1": np.array([2, 1, 1, 1])}
    if "Dropout" in node:
        arrays["ratio"] = np.array(0, "float32")  # a random result would differ from run to run
    check_nodes(RemoveNoops(), interface, f"y = {node} z = Abs(y)", None, **arrays)


@pytest.mark.parametrize(
    ("node", "given"),
    [
        ("Reshape(x, given)", np.array([2, 3])),
        ("Tile(x, given)", np.array([1, 1])),
        ("Pad(x, given)", np.zeros(4, "int64")),
        ("Add(x, given)", np.zeros(1, "float32")),
    ],
)
def test_an_argument_that_a_caller_can_override(check_nodes: CheckNodes, node: str, given: np.ndarray) -> None:
    kind = "float" if given.dtype == np.float32 else "int64"
    interface = f"(float[2,3] x, {kind}[{given.size}] given) => (float[N,M] z)"
    feed = {"x": np.ones((2, 3), "float32"), "given": given}
    check_nodes(RemoveNoops(), interface, f"y = {node} z = Relu(y)", None, feed=feed, given=given)


@pytest.mark.parametrize("node", ["Flatten(x)", "Squeeze(x)", "Reshape(x, guess)", "Add(x, ones)"])
def test_what_cannot_be_proven_stays(check_nodes: CheckNodes, node: str) -> None:
    feed, interface = {"x": np.ones((2, 3, 5, 4), "float32")}, "(float[A,B,C,D] x) => (z)"
    arrays = {"guess": np.array([2, 3, 5, 4]), "ones": np.zeros((1, 1, 5, 1), "float32")}
    check_nodes(
        RemoveNoops(), interface, f"y = {node} z = Relu(y)", None, feed=feed, values="float[A,B,C,D] y", **arrays
    )


def test_an_output_keeps_its_name(check_nodes: CheckNodes) -> None:
    check_nodes(RemoveNoops(), KNOWN, "y = Relu(x) z = Dropout(y)", "z = Relu(x)")


def test_an_output_keeps_its_declared_shape(check_nodes: CheckNodes) -> None:
    interface = "(float[N,4] x) => (float[batch,4] z)"
    check_nodes(RemoveNoops(), interface, "y = Relu(x) z = Identity(y)", "z = Relu(x)", values="float[N,4] y")


def test_a_dropout_from_input_to_output_becomes_an_identity(check_nodes: CheckNodes) -> None:
    check_nodes(RemoveNoops(), KNOWN, "[d] z = Dropout(x)", "[z_identity] z = Identity(x)")


@pytest.mark.parametrize(
    ("interface", "nodes"),
    [
        ("(float[2] x) => (float[2] z)", "z = Identity(x)"),
        ("(float[2] x) => (float[2] y, float[2] z)", "y = Relu(x) z = Identity(y)"),
        ("(float[1] x) => (float[1] y, float[1] z)", "y = Relu(x) z = Identity(zero)"),
    ],
    ids=["input", "another-output", "weight"],
)
def test_an_identity_that_only_names_an_output_stays(check_nodes: CheckNodes, interface: str, nodes: str) -> None:
    check_nodes(RemoveNoops(), interface, nodes, None, **ARRAYS)


def test_a_mask_that_is_read_keeps_its_dropout(check_nodes: CheckNodes) -> None:
    interface = "(float[2] x) => (float[2] z, bool[2] mask)"
    check_nodes(RemoveNoops(), interface, "y, mask = Dropout(x) z = Relu(y)", None)


def test_a_weight_shared_through_identities(check_nodes: CheckNodes) -> None:
    interface = "(float[2] x) => (float[2] z)"
    check_nodes(
        RemoveNoops(),
        interface,
        "w = Identity(zero) y = Sub(w, x) z = Sub(zero, y)",
        "y = Sub(zero, x) z = Sub(zero, y)",
        **ARRAYS,
    )


def test_chains_and_branches(check_rewrite: CheckNodes) -> None:
    before = """<ir_version: 10, opset_import: ["": 21]> g (bool c, float[2] x) => (float[2] z) {
        a = Identity(x) b = Identity(a) r = Relu(b) z = If (c) <
            then_branch = t () => (float[2] u) { u = Identity(r) },
            else_branch = e () => (float[2] v) { n = Neg(r) v = Identity(n) }> }"""
    after = before.replace("a = Identity(x) b = Identity(a) r = Relu(b)", "r = Relu(x)")
    after = after.replace("n = Neg(r) v = Identity(n)", "v = Neg(r)")
    check_rewrite(RemoveNoops(), before, after, feed={"c": np.array(True), "x": np.array([1, -1], "float32")})
