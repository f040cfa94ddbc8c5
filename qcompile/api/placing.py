"""Where integers may go: by the target, the recipe, what is excluded, and a table where the clock will not decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import onnx_ir as ir

from qcompile.api.request import Request
from qcompile.decide import (
    NO_OVERRIDES,
    Overrides,
    Placement,
    apply_recipe,
    cheaper_in_float,
    kept_for_speed,
    place,
)
from qcompile.errors import RecipeError
from qcompile.plan import Code, Form, Reason
from qcompile.runtime import Feed

_GIVEN_BACK = (Code.KEPT_FOR_SPEED, Code.KEPT_FOR_ACCURACY)


@dataclass(frozen=True)
class Placing:
    """Places the integers of one canonical model."""

    model: ir.Model
    request: Request
    feed: Feed

    def with_floats(self, kept_float: Mapping[str, Reason]) -> Placement:
        """Where integers go if these nodes stay float.

        What reads an input that may be of any size is not given back as long as there are integers: its codes bound
        what enters, and all the other ranges rest on that.
        """
        placement = self._placed(kept_float)
        bounding = {name for name in self._bounding & kept_float.keys() if kept_float[name].code in _GIVEN_BACK}
        if not placement.units or not bounding:
            return placement
        return self._placed({name: reason for name, reason in kept_float.items() if name not in bounding})

    def _placed(self, kept_float: Mapping[str, Reason]) -> Placement:
        """Without real data, some products find their ranges at run time.

        Not with 8-bit inputs, which leave nothing to be found at run time, nor in QDQ form, whose runtimes fuse none.
        """
        request = self.request
        quantized, format_ = request.io_type == "quantized", request.emitted_format()
        dynamic = request.calibration == "synthetic" and not quantized and format_ == "qoperator"
        return place(
            self.model,
            request.target,
            request.exclude,
            kept_float,
            overrides=self._overrides,
            dynamic=dynamic,
            quantized_outputs=quantized,
            format_=format_,
        )

    def first(self) -> Placement:
        """Where integers go if nothing speaks against them. Raises RecipeError where the recipe cannot be met."""
        if broken := self._overrides.broken(self._first.nodes):
            raise RecipeError(broken)
        return self._first

    def cheaper_in_float(self, kept_float: Mapping[str, Reason]) -> dict[str, Reason]:
        """What the target's table wants in float besides, where the clock will not decide."""
        request, table = self.request, self.request.target.prices
        if request.may_time() or not request.may_choose_float() or table is None:
            return {}
        placement = self.with_floats(kept_float)
        names = cheaper_in_float(self.model, placement, table, self.feed, request.runtime)
        return kept_for_speed(placement, names, f"by the table of target {request.target.name}, not timed")

    @cached_property
    def _first(self) -> Placement:
        return self._placed({})

    @cached_property
    def _bounding(self) -> frozenset[str]:
        """Units that read inputs of which nothing is known."""
        unknown, groups = self.request.unknown_inputs, self._first.groups
        units = (unit for unit in self._first.units if unit.form is not Form.DYNAMIC)
        read = ((unit.node.name or "", value.name or "") for unit in units for value in unit.activations)
        return frozenset(name for name, value in read if groups.get(value) in unknown)

    @cached_property
    def _overrides(self) -> Overrides:
        """What the recipe says of the model's nodes."""
        recipe = self.request.recipe
        return apply_recipe(recipe, self.model, self.request.target) if recipe is not None else NO_OVERRIDES
