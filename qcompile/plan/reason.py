"""Why something was left as it is: a code for programs, a sentence for people, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Reason codes; the value is what JSON and reports show."""

    NO_INTEGER_KERNEL = "no-integer-kernel"
    UNSUPPORTED_FORM = "unsupported-form"
    ACTIVATION_WEIGHT = "weight-not-constant"
    NOT_FLOAT = "not-float"
    NOT_BETWEEN_INTEGERS = "not-between-integers"
    NO_RANGE = "no-range"
    EXCLUDED = "excluded"
    RECIPE = "recipe"
    KEPT_FOR_ACCURACY = "kept-for-accuracy"
    KEPT_FOR_SPEED = "kept-for-speed"
    RUNTIME_DECLINED = "runtime-declined"
    RUNTIME_QUANTIZED = "runtime-quantized"
    RULE_DECLINED = "rule-declined"


_TEXT = {
    Code.NO_INTEGER_KERNEL: "the target has no integer kernel for this operator",
    Code.UNSUPPORTED_FORM: "the integer kernel does not take this form of the operator",
    Code.ACTIVATION_WEIGHT: "the second factor is computed, not a constant weight",
    Code.NOT_FLOAT: "it does not compute on float32",
    Code.NOT_BETWEEN_INTEGERS: "it has no integer work before and after it, so converting would only cost",
    Code.NO_RANGE: "calibration saw no value of it",
    Code.EXCLUDED: "an option or a rule excludes it",
    Code.RECIPE: "a rule of the recipe keeps it float",
    Code.KEPT_FOR_ACCURACY: "float is more exact here",
    Code.KEPT_FOR_SPEED: "float is faster here",
    Code.RUNTIME_DECLINED: "the runtime did not fuse it into an integer kernel",
    Code.RUNTIME_QUANTIZED: "the runtime quantized it unasked",
    Code.RULE_DECLINED: "a rewrite saw its pattern but declined",
}

_HINT = {
    Code.NO_RANGE: "give calibration data that reaches it",
    Code.EXCLUDED: "drop the option that names it",
    Code.RECIPE: "change that rule",
    Code.ACTIVATION_WEIGHT: "fold the weight into a constant when exporting",
}


@dataclass(frozen=True)
class Reason:
    """Why a node stayed as it is. `detail` names the value or number that decided."""

    code: Code
    detail: str = ""

    @property
    def text(self) -> str:
        """The sentence for people, with the detail in brackets."""
        return f"{_TEXT[self.code]} ({self.detail})" if self.detail else _TEXT[self.code]

    @property
    def hint(self) -> str:
        """What would change it, or an empty string."""
        return _HINT.get(self.code, "")

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"
