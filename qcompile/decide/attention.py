"""Products of two activations beside a Softmax, on integers: what a plan of weighted nodes leaves out.

Queries and probabilities become uint8, keys and values int8 around zero, which is what the runtime's kernel wants. All
are quantized where they are made, so that heads are moved about as codes. Scores and what the Softmax reads stay float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from qcompile.ir import constant, is_op, nodes, sole_consumer
from qcompile.plan import Code, Decision, Form, Plan
from qcompile.quant import QuantParams, Scheme, params_from_range
from qcompile.targets import Target

_LEFT, _RIGHT = Scheme("uint8"), Scheme("int8", symmetric=True, narrow=True)
_MOVES = ("Reshape", "Squeeze", "Transpose", "Unsqueeze")
_BETWEEN = ("Add", "Div", "Mul", "Sum", "Where")
"""What may stand between scores and their Softmax: scaling, biases, masks."""


@dataclass(frozen=True)
class Factor:
    """What enters a product: a value, and the nodes that only move it there, the first first."""

    source: ir.Value
    moves: tuple[ir.Node, ...]

    @property
    def names(self) -> list[str]:
        """Names of all values from the source to the product, which share parameters."""
        return [self.source.name or "", *(move.outputs[0].name or "" for move in self.moves)]


@dataclass(frozen=True)
class Product:
    """A MatMul of two activations."""

    node: ir.Node
    left: Factor
    right: Factor


def attention_products(model: ir.Model) -> list[Product]:
    """The products that make what a Softmax reads, and those that take its result as their left factor."""
    found: list[Product] = []
    for softmax in [node for node in nodes(model) if is_op(node, "Softmax")]:
        mixing = sole_consumer(softmax.outputs[0])
        is_left = mixing is not None and mixing.inputs[0] is softmax.outputs[0]
        candidates = (_scores_before(softmax), mixing if is_left else None)
        found += [product for node in candidates if node is not None and (product := _product(node)) is not None]
    return found


def sources(products: Sequence[Product]) -> list[str]:
    """Names of the values whose range is needed."""
    return list(dict.fromkeys(f.source.name or "" for product in products for f in (product.left, product.right)))


def with_integer_products(
    plan: Plan, products: Sequence[Product], ranges: Mapping[str, tuple[float, float]], target: Target
) -> Plan | None:
    """The plan with these products on integers; None if none can be.

    `ranges` holds (low, high) of their `sources`. A product stays float where the plan says more of it than that it has
    no constant weight, where a node that moves a factor is to be float, and where a factor has parameters or no range.
    None can in QDQ form, whose int8 the runtime makes uint8, nor where kernels saturate, since nothing bounds the codes
    of a factor that is no weight.
    """
    if plan.format != "qoperator" or target.saturates:
        return None
    found = replace(plan, nodes=dict(plan.nodes), values=dict(plan.values))
    for product in products:
        factors = ((product.left, _LEFT), (product.right, _RIGHT))
        is_open = _stays_float_for(product.node, found) is Code.ACTIVATION_WEIGHT
        is_open = is_open and product.left.source is not product.right.source  # the two have unlike codes
        if is_open and all(_is_free(factor, found, ranges) for factor, _ in factors):
            for factor, scheme in factors:
                _quantize(factor, params_from_range(*ranges[factor.source.name or ""], scheme), found)
            found.nodes[product.node.name or ""] = Decision(_form(product.node, found))
    return None if found.nodes == plan.nodes else found


def _scores_before(softmax: ir.Node) -> ir.Node | None:
    """The product behind scaling, biases and masks that nobody else reads."""
    value = softmax.inputs[0]
    while value is not None and (node := value.producer()) is not None and sole_consumer(value) is not None:
        if is_op(node, "MatMul"):
            return node
        computed = [v for v in node.inputs if v is not None and _makes_products(v)]
        if not is_op(node, *_BETWEEN) or len(computed) != 1:
            return None
        value = computed[0]
    return None


def _makes_products(value: ir.Value) -> bool:
    node = value.producer()
    return node is not None and is_op(node, "MatMul", *_BETWEEN) and sole_consumer(value) is not None


def _product(node: ir.Node) -> Product | None:
    left, right = (node.inputs[0], node.inputs[1]) if is_op(node, "MatMul") else (None, None)
    if left is None or right is None or left is right or constant(left) is not None or constant(right) is not None:
        return None
    return Product(node, _factor(left), _factor(right))


def _factor(value: ir.Value) -> Factor:
    moves: list[ir.Node] = []
    while (node := value.producer()) is not None and is_op(node, *_MOVES) and sole_consumer(value) is not None:
        if node.inputs[0] is None or constant(node.inputs[0]) is not None:
            break
        moves.insert(0, node)
        value = node.inputs[0]
    return Factor(value, tuple(moves))


def _is_free(factor: Factor, plan: Plan, ranges: Mapping[str, tuple[float, float]]) -> bool:
    may_move = all(_stays_float_for(move, plan) not in (Code.EXCLUDED, Code.RECIPE) for move in factor.moves)
    return may_move and factor.names[0] in ranges and plan.values.keys().isdisjoint(factor.names)


def _stays_float_for(node: ir.Node, plan: Plan) -> Code | None:
    decision = plan.nodes.get(node.name or "")
    return decision.reason.code if decision is not None and decision.reason is not None else None


def _quantize(factor: Factor, params: QuantParams, plan: Plan) -> None:
    plan.values |= dict.fromkeys(factor.names, params)
    plan.nodes |= {move.name or "": Decision(Form.INTEGER) for move in factor.moves}


def _form(node: ir.Node, plan: Plan) -> Form:
    """8-bit out where the result has parameters and nobody reads floats."""
    result = node.outputs[0]
    is_read_as_codes = all(plan.reads_codes(use.node.name) for use in result.uses())
    has_parameters = result.name in plan.values and not result.is_graph_output()
    return Form.INTEGER if has_parameters and is_read_as_codes else Form.INTEGER_TO_FLOAT
