"""The search for speed: cuts by price, and the clock on the whole net that decides between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from qcompile.decide.accuracy import GAIN_DB, Choice, affordable
from qcompile.decide.cut import cheapest_floats
from qcompile.decide.drafting import Step
from qcompile.decide.growth import only, without_growth
from qcompile.decide.placement import Placement
from qcompile.decide.prices import Prices
from qcompile.decide.relaxation import AIM_DB
from qcompile.plan import Code, Plan, Reason
from qcompile.targets import Role

FAMILY = ((1.0, 1.0), (0.5, 1.0), (1.5, 1.0), (2.5, 1.0), (1.0, 0.85), (1.0, 1.15), (1.0, 1.4))
"""Multiples of (edge prices, integer prices) that cuts are made with: no source of prices is better than some 10 %."""

CANDIDATES = 6
"""How many plans run against the float model at most; more were measured to find nothing better."""

MARGIN = 1.02
"""How much faster than a simpler plan another one must be: less, and equal sessions differ by as much."""

ROUNDS = 7
"""Turns that tell two plans apart by that much; three tell 3 %, which is enough to choose among many."""


class Clock(Protocol):
    """What tells the time of choices, and their size."""

    def speeds(self, choices: Sequence[Choice], rounds: int) -> list[float]:
        """Latency of the float model over that of each choice."""

    def gain(self, choice: Choice, other: Choice, rounds: int) -> float:
        """Latency of another choice over that of one."""

    def prices(self, choice: Choice) -> Prices:
        """What its units cost in both forms."""

    def used(self, plan: Plan) -> tuple[str, ...]:
        """The substitutes of a plan that find something to do."""

    def float_bytes(self) -> int:
        """Bytes of the float model's file."""

    def file_bytes(self, plan: Plan) -> int:
        """Bytes of the file that the plan becomes."""


@dataclass(frozen=True)
class Timed:
    """A choice and its speed: the float model's latency over its own."""

    choice: Choice
    speed: float
    given_up: float | None = None
    """That of the best form with integers, where the choice has none."""


@dataclass(frozen=True)
class SpeedSearch:
    """Looks for the fastest form of a choice that is no less accurate."""

    clock: Clock
    redraft: Callable[[Choice, Mapping[str, Reason]], Choice]
    """The same choice with further nodes kept float."""
    sqnr_db: Callable[[Plan], float]
    forms: Mapping[str, Step] = field(default_factory=dict)
    """Forms that only the clock can recommend, by the name that notes of a plan have for them: see `further_forms`."""
    aim_db: float = AIM_DB
    """SQNR from which on a form is accurate enough, whatever others have."""
    thorough: bool = False
    """Whether to try what seldom helps."""

    def run(self, choice: Choice) -> Timed:
        """The fastest of the choice, of further forms and cuts of it, of fewer substitutes and of all-float.

        In doubt all-float.
        """
        small = without_growth(choice.plan, self.clock.file_bytes, self.clock.float_bytes())
        choice = replace(choice, plan=small)
        prices = self.clock.prices(choice)
        cuts = {frozenset(cheapest_floats(p.tasks, p.edges, p.read_as_floats)): None for p in _family(prices)}
        every = frozenset(choice.placement.unit_names)
        wanted = [cut for cut in cuts if cut and cut != every][: CANDIDATES - 2]
        formed = self._with_faster_forms(choice)
        best = self._fastest([formed, *(self._without(formed, cut) for cut in wanted)])
        return self.or_floats(self._with_fewer_substitutes(best), choice)

    def or_floats(self, best: Choice, choice: Choice) -> Timed:
        """The best form of a choice if it is faster than the float model and than the choice wholly in float."""
        forms = self._forms_for_floats(choice, used_forms(best.plan))
        floats = self._wholly_in_float(choice, forms)
        speed, in_float = self.clock.speeds([best, floats], ROUNDS)
        if speed >= max(1.0, in_float * max(MARGIN, 1 + self._price_of_exactness(choice, floats))):
            return Timed(best, speed)
        return self._given_up(choice, forms, in_float, speed)

    def all_float(self, choice: Choice, forms: Collection[str], on_integers: float) -> Timed:
        """The choice wholly in float, in these forms, where it is known how fast integers were."""
        (in_float,) = self.clock.speeds([self._wholly_in_float(choice, forms)], ROUNDS)
        return self._given_up(choice, forms, in_float, on_integers)

    def _given_up(self, choice: Choice, forms: Collection[str], in_float: float, on_integers: float) -> Timed:
        why = f"the model runs {on_integers:.2f} times as fast as before with integers, {in_float:.2f} times without"
        return Timed(self._wholly_in_float(choice, forms, why), in_float, on_integers)

    def _wholly_in_float(self, choice: Choice, forms: Collection[str], why: str = "") -> Choice:
        """The choice without integers, in these forms."""
        kept = kept_for_speed(choice.placement, choice.placement.unit_names, why)
        return self.with_forms(with_substitutes(self.redraft(choice, kept), ()), forms)

    def _forms_for_floats(self, choice: Choice, forms: Collection[str]) -> list[str]:
        """Those of the forms that need no integers and find something to do where there are none."""
        found: list[str] = []
        for name in forms:
            more = self._wholly_in_float(choice, [*found, name])
            needs_none = not any(decision.is_integer for decision in more.plan.nodes.values())
            if needs_none and not self._is_idle(name, more):
                found.append(name)
        return found

    def _is_idle(self, form: str, choice: Choice) -> bool:
        """Whether a form of a choice is a substitute that finds nothing to do."""
        return form in choice.plan.substitutes and form not in self.clock.used(choice.plan)

    def _price_of_exactness(self, choice: Choice, floats: Choice) -> float:
        """How much slower a choice that is near enough to the float model may become to be nearer."""
        return affordable(choice.sqnr_db, self.sqnr_db(floats.plan)) if choice.sqnr_db >= self.aim_db else 0.0

    def _without(self, choice: Choice, names: Collection[str]) -> Choice:
        """The choice, with its forms and substitutes, and further nodes kept float."""
        fewer = self.redraft(choice, kept_for_speed(choice.placement, names))
        return self.with_forms(with_substitutes(fewer, choice.plan.substitutes), used_forms(choice.plan))

    def _fastest(self, choices: Sequence[Choice]) -> Choice:
        """The fastest; the first one within noise; never one that is less accurate than the first.

        Of many, one looks fast by chance: it has to show it once more.
        """
        first, *others = choices
        speed, *speeds = self.clock.speeds(choices, rounds=3)
        for found, other in sorted(zip(speeds, others, strict=True), key=lambda pair: -pair[0]):
            if found < speed * MARGIN:
                break
            if self.is_accurate_enough(other, first) and self._is_faster(other, first):
                return other
        return first

    def _is_faster(self, one: Choice, other: Choice) -> bool:
        """Whether a choice is faster than a simpler one."""
        return self.clock.gain(one, other, ROUNDS) >= MARGIN

    def is_accurate_enough(self, one: Choice, other: Choice) -> bool:
        """Whether a form of a choice meets the aim, or is as near to the float model as the choice was measured.

        Substitutes are exact.
        """
        if _but_for_substitutes(one.plan) == _but_for_substitutes(other.plan):
            return True
        sqnr_db = self.sqnr_db(one.plan)
        return sqnr_db >= self.aim_db or (other.sqnr_db < self.aim_db and sqnr_db >= other.sqnr_db - GAIN_DB)

    def with_forms(self, choice: Choice, names: Collection[str]) -> Choice:
        """The choice with these forms of ours in its plan; the choice itself where they find nothing."""
        plan = choice.plan
        for name in (name for name in self.forms if name in names):
            if (found := self.forms[name](choice.placement, plan)) is not None:
                plan = _noting(found, [*used_forms(plan), name])
        return replace(choice, plan=plan)

    def _with_faster_forms(self, choice: Choice) -> Choice:
        """Add each form that pays and leaves the plan accurate enough."""
        best = choice
        for name in self.forms:
            more = self.with_forms(best, [name])
            if more.plan is best.plan or self._is_idle(name, more):
                continue
            if self._is_faster(more, best) and self.is_accurate_enough(more, choice):
                best = more
        return best

    def _with_fewer_substitutes(self, choice: Choice) -> Choice:
        """Drop the substitutes if they do not pay together; one or the other only where much is spent on speed."""
        names = self.clock.used(choice.plan)
        forms = [name for name in used_forms(choice.plan) if name in names or name not in choice.plan.substitutes]
        best = whole = with_substitutes(replace(choice, plan=_noting(choice.plan, forms)), names)
        in_question = [name for name in names if name not in forms]
        alone = [{name} for name in in_question] if self.thorough and len(in_question) > 1 else []
        for out in [{*in_question}, *alone] if in_question else []:
            fewer = with_substitutes(whole, {*names} - out)
            if self._is_faster(fewer, best):
                best = fewer
        return best


def used_forms(plan: Plan) -> list[str]:
    """Names of the further forms that a plan has."""
    return plan.notes.get("forms", "").split()


def _noting(plan: Plan, forms: Sequence[str]) -> Plan:
    """The plan with its further forms in its notes."""
    others = {key: note for key, note in plan.notes.items() if key != "forms"}
    return replace(plan, notes=others | ({"forms": " ".join(forms)} if forms else {}))


def _but_for_substitutes(plan: Plan) -> Plan:
    return replace(_noting(plan, ()), substitutes=())


def with_substitutes(choice: Choice, names: Collection[str]) -> Choice:
    """The choice with these substitutes of its own."""
    return replace(choice, plan=only(choice.plan, names))


def kept_for_speed(placement: Placement, names: Collection[str], detail: str = "") -> dict[str, Reason]:
    """The reason why units of these names stay float; what only moves values follows the others."""
    units = (unit for unit in placement.units if unit.entry.role is not Role.MOVE)
    return {n: Reason(Code.KEPT_FOR_SPEED, detail) for unit in units if (n := unit.node.name or "") in names}


def _family(prices: Prices) -> list[Prices]:
    return [prices.scaled(edges, integer) for edges, integer in FAMILY]
