"""The search for accuracy: every free repair that helps, then float where 8 bits are too few."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from qcompile.decide.drafting import Drafter, Method, Step
from qcompile.decide.narrowing import HALF, MOST_OF_IT, QUARTER, WORTH_CUTTING_DB
from qcompile.decide.placement import Placement
from qcompile.decide.relaxation import AIM_DB, NEEDED_DB, WORTH_DB, relaxations
from qcompile.plan import Code, Plan, Reason

GAIN_DB = 0.3
"""What a candidate must gain over a simpler one to be taken: below it, held-back samples tell noise."""

CEILING_DB = 46.0
"""SQNR from which on no more is asked for: detectors that give boxes in pixels lose some 3 % there, all others less."""

DOUBLING_DB = 10.0
"""What giving nodes back must gain for each doubling of the time: nine tenths of the noise."""

HOPE = 0.35
"""Share of the error that nodes must hold by themselves to be tried in float: a third of it has to go at least."""

UNSEEN = 0.03
"""Slowdown that the clock can hardly tell from noise: so much is given for half the noise where the aim is met."""


def affordable(before_db: float, after_db: float) -> float:
    """The slowdown, as a share of a run, that may be paid for a gain in SQNR."""
    gain_db = min(after_db, CEILING_DB) - before_db
    if gain_db < least_gain(before_db):
        return 0.0
    return gain_db / WORTH_DB * UNSEEN if before_db >= AIM_DB else gain_db / DOUBLING_DB


def least_gain(before_db: float) -> float:
    """What giving nodes back must gain at least, in dB."""
    return WORTH_DB if before_db >= AIM_DB else NEEDED_DB


Measure = Callable[[Plan], float]
"""SQNR of the lowest output under a plan, in dB, on held-back samples."""


@dataclass(frozen=True)
class Choice:
    """A plan, how it was made and what it was measured to be worth."""

    placement: Placement
    method: Method
    plan: Plan
    sqnr_db: float
    kept_float: Mapping[str, Reason]
    """Nodes that stay float though the target could compute them on integers, with the reason."""


@dataclass(frozen=True)
class AccuracySearch:
    """Looks for the plan with the best SQNR; of two within noise the simpler one."""

    drafter: Drafter
    place: Callable[[Mapping[str, Reason]], Placement]
    """Where integers go if these nodes stay float."""
    sqnr_db: Measure
    repairs: Sequence[Step] = ()
    """What costs no speed: each is tried on top of those that helped before it."""
    roundings: Sequence[Step] = ()
    """Repairs of the weights alone; they cost time, and are tried first where the weights' errors can be seen."""
    migrations: Sequence[Step] = ()
    """Repairs that begin the plan anew, with channels scaled; tried before all others where the aim is not met."""
    ranked: Callable[[Choice], Sequence[Mapping[str, Reason]]] | None = None
    """Sets of nodes to give back to float by what they were measured to do, the smallest first; None: not measured."""
    promise: Callable[[Choice, Set[str]], float] | None = None
    """Share of the error that is gone if these nodes compute in float; None: not measured."""
    slowdown: Callable[[Choice, Collection[str]], float] | None = None
    """What it costs to give nodes back, as a share of a run; None: not known."""
    budget_db: float | None = None
    """SQNR that was asked for: to reach it, speed is paid whatever it costs."""
    narrowable: Callable[[Choice], Sequence[str]] | None = None
    """Values whose ranges may be too wide, as `Method.narrowed` has them, the worst first; None: not measured."""

    def run(self, kept_float: Mapping[str, Reason]) -> Choice:
        """The best choice with these nodes in float, and more of them where 8 bits are too few.

        What is float may change which repairs help, so they are tried again where nodes were given back.
        """
        placement = self.place(kept_float)
        plain = [Method(reading) for reading in self.drafter.readings]
        methods = [m for method in plain for m in (method, method.then(self.drafter.correct_bias))]
        best = self._repaired(self._best(None, methods, placement, kept_float))
        relaxed = self._relaxed(best) if best.sqnr_db < (AIM_DB if self.slowdown is None else CEILING_DB) else best
        best = self._narrowed(best if relaxed is best else self._repaired(relaxed))
        return best if self.budget_db is None else self._within_budget(best, self.budget_db)

    def _within_budget(self, best: Choice, budget_db: float) -> Choice:
        """The choice with as few nodes in float as the budget lets, a set at a time; the best one if none meets it."""
        while best.sqnr_db < budget_db and best.placement.units:
            wanted = Reason(Code.KEPT_FOR_ACCURACY, f"to reach {budget_db:g} dB")
            every = dict.fromkeys(best.placement.unit_names, wanted)
            closest = best
            for more in [*self._candidates(best, True), *self._candidates(best, False), every]:
                if more is every and closest is not best:
                    break
                kept = {**best.kept_float, **more}
                found = self._best(None, [best.method], self.place(kept), kept)
                closest = found if found.sqnr_db > closest.sqnr_db else closest
                if closest.sqnr_db >= budget_db:
                    break
            if closest is best:
                break
            best = closest
        return best

    def _repaired(self, best: Choice) -> Choice:
        best = self._tried(self.migrations if best.sqnr_db < AIM_DB else (), best)
        best = self._tried(self.roundings if self._weights_matter(best) else (), best)
        return self._tried(self.repairs, best)

    def _tried(self, repairs: Iterable[Step], best: Choice) -> Choice:
        for repair in repairs:
            best = self._best(best, [best.method.then(repair)], best.placement, best.kept_float)
        return best

    def _narrowed(self, best: Choice) -> Choice:
        """The choice with ranges cut off where that helps, one after the other."""
        for value in self.narrowable(best) if self.narrowable is not None and best.sqnr_db < CEILING_DB else ():
            half = self._with_share(best, value, HALF)
            best = self._with_share(half, value, MOST_OF_IT if half is best else QUARTER)
        return best

    def _with_share(self, best: Choice, value: str, share: float) -> Choice:
        methods = [best.method.narrower(value, share)]
        return self._best(best, methods, best.placement, best.kept_float, WORTH_CUTTING_DB)

    def _weights_matter(self, choice: Choice) -> bool:
        """Whether exact weights would gain more than noise: what 8-bit weights do alone, activations being float."""
        if not self.roundings or not choice.placement.units:
            return bool(self.roundings)
        every = dict.fromkeys(choice.placement.unit_names, Reason(Code.KEPT_FOR_ACCURACY))
        plan = self.drafter.draft(self.place({**choice.kept_float, **every}), choice.method)
        share = 10 ** ((choice.sqnr_db - self.sqnr_db(plan)) / 10)
        return not share < 1 - 10 ** (-GAIN_DB / 10)

    def _relaxed(self, base: Choice) -> Choice:
        """The choice with its worst nodes in float, where that is worth their speed."""
        best = base
        for by_measure in (True, False):
            for more in self._candidates(base, by_measure) if best.sqnr_db < AIM_DB or by_measure else ():
                if self.promise is not None and self.promise(base, more.keys()) < HOPE:
                    continue
                slower = self.slowdown(base, more) if self.slowdown is not None else 0.0
                if slower > affordable(base.sqnr_db, CEILING_DB):
                    continue
                kept = {**base.kept_float, **more}
                found = self._best(None, [base.method], self.place(kept), kept)
                needed = least_gain(best.sqnr_db) if self.slowdown is not None else WORTH_DB  # at an unknown price
                gains = found.sqnr_db >= best.sqnr_db + needed
                if gains and slower <= affordable(base.sqnr_db, found.sqnr_db):
                    best = found
        return best

    def _candidates(self, base: Choice, by_measure: bool) -> Sequence[Mapping[str, Reason]]:
        """Sets of nodes to give back: by what they were measured to do, or by how their inputs fit 8 bits."""
        if not by_measure:
            return relaxations(base.placement, base.plan, self.drafter.seen)
        return self.ranked(base) if self.ranked is not None else ()

    def _best(
        self,
        best: Choice | None,
        methods: Iterable[Method],
        placement: Placement,
        kept_float: Mapping[str, Reason],
        least_gain_db: float = GAIN_DB,
    ) -> Choice:
        """The best of the choice so far and of what methods make; the earlier one if a later gains too little."""
        measured = [] if best is None else [best.plan]
        for method in methods:
            plan = self.drafter.draft(placement, method)
            if plan in measured:
                continue
            measured.append(plan)
            found = self.sqnr_db(plan)
            if best is None or found >= best.sqnr_db + least_gain_db:
                best = Choice(placement, method, plan, found, kept_float)
        assert best is not None
        return best
