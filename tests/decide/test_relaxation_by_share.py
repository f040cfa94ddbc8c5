"""Which nodes are offered back to float, by measured shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from qcompile.decide import Placement, place, relaxations_by_share
from qcompile.plan import Code
from qcompile.targets import find_target
from qcompile.verify import Gate, Sensitivity, Share

CPU = find_target("cpu")
COUNT = 12


@pytest.fixture
def made(quantize: Callable[..., Any]) -> Any:
    nodes = " ".join(f"[n{i}] x{i + 1} = Conv(x{i}, w{i})" for i in range(COUNT))
    interface = f"(float[1,4,5,5] x0) => (float[1,4,5,5] x{COUNT})"
    return quantize(interface, nodes, **{f"w{i}": (4, 4, 1, 1) for i in range(COUNT)})


def offered(
    made: Any, shares: Mapping[Gate, float], macs: Mapping[str, int] | None = None, placement: Placement | None = None
) -> list[dict[str, str]]:
    found = Sensitivity("y", 20.0, tuple(Share(gate, share) for gate, share in shares.items()), 0, 0.0)
    sets = relaxations_by_share(made.canonical, placement or place(made.canonical, CPU), made.plan, CPU, found, macs)
    assert all(reason.code is Code.KEPT_FOR_ACCURACY for kept in sets for reason in kept.values())
    return [{name: reason.detail for name, reason in kept.items()} for kept in sets]


def weights(*numbers: int) -> dict[Gate, float]:
    return {Gate(f"w{i}", f"n{i}", True): 0.2 - 0.01 * rank for rank, i in enumerate(numbers)}


def test_one_two_four_and_eight_of_the_worst(made: Any) -> None:
    sets = offered(made, weights(3, 1, 7, 0, 2, 4, 5, 6, 8, 9))
    assert [list(kept) for kept in sets] == [
        ["n3"],
        ["n3", "n1"],
        ["n3", "n1", "n7", "n0"],
        ["n3", "n1", "n7", "n0", "n2", "n4", "n5", "n6"],
    ]
    assert sets[0] == {"n3": "its weights in 8 bits are 20 % of the error at output y"}


def test_an_activation_takes_its_maker_and_its_readers(made: Any) -> None:
    assert offered(made, {Gate("x4", "n3"): 0.344}) == [
        {
            "n3": "its output in 8 bits is 34 % of the error at output y",
            "n4": "its input in 8 bits is 34 % of the error at output y",
        }
    ]


def test_no_more_than_a_quarter_of_the_work(made: Any) -> None:
    macs = {f"n{i}": 100 if i == 3 else 10 for i in range(COUNT)}
    assert [list(kept) for kept in offered(made, weights(3, 1, 7, 0, 2), macs)] == [
        ["n1"],
        ["n1", "n7"],
        ["n1", "n7", "n0", "n2"],
    ]


def test_never_all_of_them(made: Any, quantize: Callable[..., Any]) -> None:
    made = quantize("(float[1,4,5,5] x) => (float[1,4,5,5] y)", "[n0] y = Conv(x, w)", w=(4, 4, 1, 1))
    assert offered(made, {Gate("w", "n0", True): 0.9}) == []


def test_what_does_no_harm_is_left(made: Any) -> None:
    assert offered(made, {Gate("w0", "n0", True): 0.0}) == []
    assert offered(made, {}) == []
