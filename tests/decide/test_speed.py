"""The search for speed, by a clock that says what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import Choice, Memory, Method, Placement, SpeedSearch, fingerprint, place
from qcompile.decide.cut import Edges, Task
from qcompile.decide.prices import Prices
from qcompile.plan import Code, Plan, Reason
from qcompile.runtime import ONE_THREAD
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
TEXT = """g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
    [conv1] a = Conv(x, kernel) [conv2] b = Conv(a, kernel) [conv3] c = Conv(b, kernel) y = Elu(c)
}"""
CONVS = {"conv1", "conv2", "conv3"}
SUBSTITUTES = ("fold", "pad")


@dataclass
class SaidClock:
    """A clock that says how fast a plan is, by the convolutions it computes on integers and its substitutes."""

    speed: Callable[[set[str], tuple[str, ...]], float]
    slow_on_integers: Collection[str] = ()
    asked: list[int] = field(default_factory=list)
    bytes_of: dict[str, int] = field(default_factory=dict)
    """By how much a substitute makes a file of 1,000 bytes larger."""
    float_bytes_: int = 2800
    chance: float = 0.0
    """By how much all but the first of several choices look faster than they are."""

    def speeds(self, choices: Sequence[Choice], rounds: int) -> list[float]:
        self.asked.append(len(choices))
        gates = [0.5 * ("gated" in c.plan.notes) for c in choices]
        found = [self.speed({n for n in CONVS if c.plan.is_integer(n)}, c.plan.substitutes) for c in choices]
        chances = [self.chance * (number > 0 and rounds == 3) for number in range(len(choices))]
        return [sum(parts) for parts in zip(found, gates, chances, strict=True)]

    def gain(self, choice: Choice, other: Choice, rounds: int) -> float:
        found, against = self.speeds([choice, other], rounds)
        return found / against

    def prices(self, choice: Choice) -> Prices:
        values = {"conv1": ("x", "a"), "conv2": ("a", "b"), "conv3": ("b", "c")}
        tasks = [
            Task(name, 100.0 if name in self.slow_on_integers else 10.0, 50.0, (reads,), (makes,))
            for name, (reads, makes) in values.items()
        ]
        return Prices(tuple(tasks), Edges(dict.fromkeys("xabc", 1.0), dict.fromkeys("xabc", 1.0)), frozenset("c"))

    def float_bytes(self) -> int:
        return self.float_bytes_

    def file_bytes(self, plan: Plan) -> int:
        return 1000 + sum(self.bytes_of.get(name, 0) for name in plan.substitutes)

    def used(self, plan: Plan) -> tuple[str, ...]:
        return tuple(name for name in plan.substitutes if name in SUBSTITUTES)


def chosen(model: Model) -> Choice:
    """All three convolutions on integers, with substitutes of which one finds nothing to do."""
    placement = place(model(TEXT), CPU)
    plan = Plan("cpu", nodes=placement.nodes, substitutes=(*SUBSTITUTES, "idle"))
    return Choice(placement, Method("min-max"), plan, 30.0, {})


def search(
    model: Model, clock: SaidClock, sqnr_db: float = 30.0, thorough: bool = False, gated: bool = False
) -> SpeedSearch:
    built = model(TEXT)

    def redraft(choice: Choice, kept: Mapping[str, Reason]) -> Choice:
        all_kept = {**choice.kept_float, **kept}
        placement = place(built, CPU, (), all_kept)
        plan = Plan("cpu", nodes=placement.nodes, substitutes=(*SUBSTITUTES, "idle"))
        return replace(choice, placement=placement, plan=plan, kept_float=all_kept)

    def gate(placement: Placement, plan: Plan) -> Plan:
        return replace(plan, notes={**plan.notes, "gated": "yes"})

    def measured(plan: Plan) -> float:
        return sqnr_db - 5 * ("gated" in plan.notes)

    return SpeedSearch(clock, redraft, measured, {"gate": gate} if gated else {}, thorough=thorough)


def integers(choice: Choice) -> set[str]:
    return {name for name in CONVS if choice.plan.is_integer(name)}


def test_all_integers_where_that_is_fastest(model: Model) -> None:
    timed = search(model, SaidClock(lambda convs, used: 1.0 + len(convs))).run(chosen(model))
    assert (integers(timed.choice), timed.speed) == (CONVS, 4.0)
    assert timed.choice.plan.substitutes == SUBSTITUTES  # `idle` found nothing to do


def test_the_cut_is_taken_where_the_clock_agrees(model: Model) -> None:
    clock = SaidClock(lambda convs, used: 3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0, {"conv2"})
    timed = search(model, clock).run(chosen(model))
    assert (integers(timed.choice), timed.speed) == ({"conv1", "conv3"}, 3.0)
    assert timed.choice.plan.nodes["conv2"].reason == Reason(Code.KEPT_FOR_SPEED)


def test_the_clock_overrules_the_prices(model: Model) -> None:
    clock = SaidClock(lambda convs, used: 2.0 if convs == CONVS else 1.0, {"conv2"})
    assert integers(search(model, clock).run(chosen(model)).choice) == CONVS


def test_within_noise_the_simpler_one(model: Model) -> None:
    clock = SaidClock(lambda convs, used: 2.01 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0, {"conv2"})
    assert integers(search(model, clock).run(chosen(model)).choice) == CONVS


def test_a_cut_that_was_fast_by_chance_has_to_show_it_again(model: Model) -> None:
    clock = SaidClock(lambda convs, used: 2.0 if convs else 1.0, {"conv2"}, chance=1.0)
    assert integers(search(model, clock).run(chosen(model)).choice) == CONVS


def test_a_cut_that_costs_accuracy_is_passed_over(model: Model) -> None:
    clock = SaidClock(lambda convs, used: 3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0, {"conv2"})
    assert integers(search(model, clock, sqnr_db=20.0).run(chosen(model)).choice) == CONVS


@pytest.mark.parametrize(("on_integers", "in_float"), [(0.9, 1.0), (1.0, 1.2), (1.21, 1.2)])
def test_never_slower_than_float_and_no_integers_that_do_not_pay(
    on_integers: float, in_float: float, model: Model
) -> None:
    clock = SaidClock(lambda convs, used: on_integers if convs else in_float)
    timed = search(model, clock).run(chosen(model))
    assert (integers(timed.choice), timed.speed) == (set(), in_float)
    reason = timed.choice.plan.nodes["conv1"].reason
    assert reason is not None and f"{on_integers:.2f} times as fast" in reason.detail


def test_substitutes_that_do_not_pay_are_dropped(model: Model) -> None:
    clock = SaidClock(lambda convs, used: (2.0 if convs else 1.0) - 0.1 * len(used))
    assert search(model, clock).run(chosen(model)).choice.plan.substitutes == ()


@pytest.mark.parametrize(("float_bytes", "kept"), [(2800, ("pad",)), (4000, ("fold", "pad"))])
def test_substitutes_that_make_the_file_larger_are_dropped(
    float_bytes: int, kept: tuple[str, ...], model: Model
) -> None:
    """Unless it stays small beside the float one."""

    def speed(convs: set[str], used: tuple[str, ...]) -> float:
        return (2.0 if convs else 1.0) * (1 + len(used))

    clock = SaidClock(speed, bytes_of={"fold": 500, "pad": 50}, float_bytes_=float_bytes)
    assert search(model, clock).run(chosen(model)).choice.plan.substitutes == kept


def test_substitutes_together_keep_the_file_small(model: Model) -> None:
    sizes = {"fold": 500, "pad": 500}
    clock = SaidClock(lambda convs, used: (1.0 + bool(convs)) * (1 + len(used)), bytes_of=sizes, float_bytes_=4000)
    assert search(model, clock).run(chosen(model)).choice.plan.substitutes == ("fold",)


def test_one_alone_is_dropped_where_much_is_spent(model: Model) -> None:
    clock = SaidClock(lambda convs, used: (2.0 if convs else 1.0) + 0.1 * ("fold" in used) - 0.1 * ("pad" in used))
    assert search(model, clock, thorough=True).run(chosen(model)).choice.plan.substitutes == ("fold",)


@pytest.mark.parametrize(("sqnr_db", "forms"), [(34.0, "gate"), (32.0, None)])
def test_a_form_that_pays_may_cost_accuracy_as_long_as_the_aim_is_met(
    sqnr_db: float, forms: str | None, model: Model, tmp_path: Path
) -> None:
    speeds = SaidClock(lambda convs, used: 1.0 + len(convs))
    found = search(model, speeds, sqnr_db, gated=True)
    exact = replace(chosen(model), sqnr_db=sqnr_db)
    timed = Memory(tmp_path).search(found, exact, "key")
    assert timed.choice.plan.notes.get("forms") == forms
    assert Memory(tmp_path).search(found, exact, "key").choice.plan == timed.choice.plan


def test_floats_have_the_forms_that_need_no_integers(model: Model, tmp_path: Path) -> None:
    found = search(model, SaidClock(lambda convs, used: 1.2 if convs else 1.5), 34.0, gated=True)
    for _ in range(2):
        timed = Memory(tmp_path).search(found, replace(chosen(model), sqnr_db=34.0), "key")
        assert (integers(timed.choice), timed.speed) == (set(), 2.0)
        assert timed.choice.plan.notes.get("forms") == "gate"


def test_a_form_that_finds_nothing_to_do_is_forgotten(model: Model, tmp_path: Path) -> None:
    """`pad` is a form here, which needs conv2 on integers; the cut has it in float."""

    class Padding(SaidClock):
        def used(self, plan: Plan) -> tuple[str, ...]:
            return tuple(n for n in super().used(plan) if n != "pad" or plan.is_integer("conv2"))

    def speed(convs: set[str], used: tuple[str, ...]) -> float:
        return (3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0) + 0.2 * ("pad" in used)

    def pad(placement: Placement, plan: Plan) -> Plan:
        return replace(plan, substitutes=(*plan.substitutes, "pad"))

    found = replace(search(model, Padding(speed, {"conv2"})), forms={"pad": pad})
    choice = replace(chosen(model), plan=replace(chosen(model).plan, substitutes=("fold",)))
    first, again = (Memory(tmp_path).search(found, choice, "key") for _ in range(2))
    assert integers(first.choice) == {"conv1", "conv3"}
    assert "pad" not in first.choice.plan.substitutes and "forms" not in first.choice.plan.notes
    assert again.choice.plan == first.choice.plan


def test_cuts_have_the_forms_that_pay(model: Model) -> None:
    def speed(convs: set[str], used: tuple[str, ...]) -> float:
        return 3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0

    found = search(model, SaidClock(speed, {"conv2"}), 40.0, gated=True)
    timed = found.run(replace(chosen(model), sqnr_db=40.0))
    assert (integers(timed.choice), timed.speed) == ({"conv1", "conv3"}, 3.5)


def test_a_cut_has_no_substitutes_that_make_the_file_larger(model: Model) -> None:
    def speed(convs: set[str], used: tuple[str, ...]) -> float:
        return (3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0) * (1 + len(used))

    clock = SaidClock(speed, {"conv2"}, bytes_of={"fold": 500})
    timed = search(model, clock).run(chosen(model))
    assert integers(timed.choice) == {"conv1", "conv3"}
    assert timed.choice.plan.substitutes == ("pad",)


def test_what_was_found_is_remembered(model: Model, tmp_path: Path) -> None:
    clock = SaidClock(lambda convs, used: 3.0 if convs == {"conv1", "conv3"} else 2.0 if convs else 1.0, {"conv2"})
    first = Memory(tmp_path).search(search(model, clock), chosen(model), "key")
    clock.asked.clear()
    again = Memory(tmp_path).search(search(model, clock), chosen(model), "key")
    assert (integers(again.choice), again.speed) == (integers(first.choice), first.speed)
    assert again.choice.plan.substitutes == first.choice.plan.substitutes
    assert clock.asked == [2]  # only against the float model, and all in float


def test_what_is_remembered_to_be_all_float_says_how_fast_integers_were(model: Model, tmp_path: Path) -> None:
    found = search(model, SaidClock(lambda convs, used: 1.2 if convs else 1.5))
    first, again = (Memory(tmp_path).search(found, chosen(model), "key") for _ in range(2))
    reason = again.choice.plan.nodes["conv1"].reason
    assert reason is not None and "1.20 times as fast" in reason.detail
    assert again == first


def test_what_no_longer_holds_is_searched_again(model: Model, tmp_path: Path) -> None:
    Memory(tmp_path).search(search(model, SaidClock(lambda convs, used: 1.0 + len(convs))), chosen(model), "key")
    slower = SaidClock(lambda convs, used: 2.0 if convs == {"conv1", "conv3"} else 1.0, {"conv2"})
    timed = Memory(tmp_path).search(search(model, slower), chosen(model), "key")
    assert integers(timed.choice) == {"conv1", "conv3"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"floats": 5, "substitutes": [], "forms": [], "speed": 2}', b"\xff"]
)
def test_a_broken_memory_is_none(content: bytes, model: Model, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(content)
    clock = SaidClock(lambda convs, used: 1.0 + len(convs))
    assert Memory(tmp_path).search(search(model, clock), chosen(model), "key").speed == 4.0


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    clock = SaidClock(lambda convs, used: 1.0 + len(convs))
    assert Memory(tmp_path / "file").search(search(model, clock), chosen(model), "key").speed == 4.0


def test_what_a_shallow_search_found_does_not_answer_for_a_deep_one(model: Model) -> None:
    clock, graph, feed = SaidClock(lambda convs, used: 1.0), model(TEXT), {"x": np.zeros((1, 4, 8, 8), np.float32)}
    searches = [search(model, clock, thorough=t, gated=g) for t in (False, True) for g in (False, True)]
    keys = [fingerprint(graph, chosen(model), feed, ONE_THREAD, found) for found in searches]
    assert len(set(keys)) == 4
    assert fingerprint(graph, chosen(model), feed, ONE_THREAD, search(model, clock)) == keys[0]
