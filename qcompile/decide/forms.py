"""Forms that only the clock can recommend: they cost accuracy, or pay on some machines and harm on others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import onnx_ir as ir

from qcompile.decide.attention import Product, with_integer_products
from qcompile.decide.drafting import Step
from qcompile.decide.placement import Placement
from qcompile.ir import nodes
from qcompile.plan import Plan
from qcompile.targets import Target

ATTENTION = "integer-attention"


def further_forms(
    model: ir.Model,
    target: Target,
    products: Sequence[Product],
    ranges: Mapping[str, tuple[float, float]],
    features: Collection[str],
) -> dict[str, Step]:
    """The forms that may be tried on a model, by name.

    `ranges` holds (low, high) of the sources of `products`, `features` the instruction sets of the machine.
    """

    def integer_attention(placement: Placement, plan: Plan) -> Plan | None:
        return with_integer_products(plan, products, ranges, target)

    def substitute(name: str) -> Step:
        return lambda placement, plan: replace(plan, substitutes=(*plan.substitutes, name))

    present = {node.op_type for node in nodes(model)}
    able = [trial for trial in target.trials if trial.feature in ("", *features) and trial.op_type in present]
    return ({ATTENTION: integer_attention} if products else {}) | {t.name: substitute(t.name) for t in able}
