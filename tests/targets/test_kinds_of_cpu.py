"""Targets that are not the machine that compiles: what they share with `cpu`, and what they do not."""

from __future__ import annotations

import pytest

import qcompile.passes.lower as lower
from qcompile.passes.lower.substitute import Substitute
from qcompile.targets import WITHOUT_VNNI, NodeFacts, OpEntry, find_target, target_names

KINDS = ["x86-64", "x86-avx2", "x86-vnni", "x86-amx", "arm64"]
TILES = "shift-zero-point"


def facts(op_type: str, weight: tuple[int, ...], **attributes: int) -> NodeFacts:
    image = (1, *(8,) * (len(weight) - 1))
    return NodeFacts(op_type, attributes, (image, weight, weight), frozenset({1, 2}), ("FLOAT", "FLOAT"))


@pytest.mark.parametrize("name", KINDS)
def test_same_kernels_and_no_clock(name: str) -> None:
    target, cpu = find_target(name), find_target("cpu")
    assert target.table == cpu.table
    assert target.formats == cpu.formats
    assert not target.is_host
    assert target.prices is not None


def test_only_one_is_the_host() -> None:
    assert [name for name in target_names() if find_target(name).is_host] == ["cpu"]


def test_substitutes_have_a_pass_and_none_is_twice() -> None:
    kinds = [getattr(lower, name) for name in lower.__all__]
    there_are = {kind.name for kind in kinds if issubclass(kind, Substitute)}
    for name in target_names():
        wanted = find_target(name).substitutes
        assert set(wanted) <= there_are
        assert len(set(wanted)) == len(wanted)


def test_tiles_are_for_amx_alone() -> None:
    assert [name for name in KINDS if TILES in find_target(name).substitutes] == ["x86-amx"]


@pytest.mark.parametrize("name", KINDS)
def test_exact_without_vnni_goes_with_bounded_weights(name: str) -> None:
    target = find_target(name)
    assert target.saturates == (WITHOUT_VNNI in target.exact_on) == (name in ("x86-64", "x86-avx2"))
    assert not (target.saturates and {"pad-channels", "route-channels"} & set(target.substitutes))


def test_what_nobody_measured_says_so() -> None:
    assert [name for name in KINDS if not find_target(name).measured] == ["x86-64", "x86-avx2", "arm64"]


@pytest.mark.parametrize("name", KINDS)
def test_integers_pay_in_dense_products(name: str) -> None:
    prices = find_target(name).prices
    assert prices is not None
    floating, integer = prices.dense
    assert integer < floating


@pytest.mark.parametrize(
    ("node", "axis"),
    [
        (facts("Conv", (8, 4, 3, 3)), 1),
        (facts("Conv", (8, 1, 3, 3), group=8), None),
        (facts("Conv", (8, 1, 3, 3), group=4), 1),
        (facts("Conv", (8, 1, 3, 3), group=1), 1),
        (facts("ConvTranspose", (4, 8, 2, 2)), 0),
        (facts("Gemm", (4, 8)), 0),
        (facts("Gemm", (8, 4), transB=1), 1),
        (facts("MatMul", (4, 8)), 0),
        (facts("LSTM", (1, 512, 8)), 2),
    ],
)
def test_axis_that_kernels_sum_over_first(node: NodeFacts, axis: int | None) -> None:
    entry = find_target("x86-64").table[node.op_type]
    assert isinstance(entry, OpEntry)
    assert entry.inner_axis is not None
    assert entry.inner_axis(node) == axis
