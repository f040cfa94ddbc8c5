"""Scales of channels, moved from a value into the constants of what makes it and of what reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from qcompile.ir import Names, constant, is_op, nodes, remove_dead
from qcompile.passes.canonicalize.linear import LINEAR, as_linear
from qcompile.pipeline import Context, Pass, PassResult, Preserves

Array = npt.NDArray[Any]
Factors = npt.NDArray[np.float64]
Migrations = Mapping[str, Sequence[float]]

NORMALIZATIONS = ("InstanceNormalization", "LayerNormalization", "RMSNormalization")
"""Their inputs 1 and 2 scale and shift each channel."""


@dataclass(frozen=True)
class MigrateScales(Pass):
    """Divide the channels of values by the factors of the plan, and make up for it where they are read.

    Before: `v = Conv(x, w)  y = Conv(v, u)` with factors s for v in the plan
    After:  `v = Conv(x, w_migrated)  y = Conv(v, u_migrated)`, w / s by output channel and u * s by input channel

    Between the two may stand what scales its output as its input is scaled: Relu, MaxPool, Add of a constant, ...
    Nagel et al. 2019 (arXiv 1906.04721), section 4.1, equalise weights so; Xiao et al. 2022 (arXiv 2211.10438) make
    outlier channels smaller. The factors are decided with the plan. Exact where they are powers of two.
    """

    name: ClassVar[str] = "migrate-scales"
    preserves: ClassVar[Preserves] = Preserves.ROUNDING

    def run(self, model: ir.Model, context: Context) -> PassResult:
        """Give every node next to a value with factors constants of its own."""
        assert context.plan is not None
        migrations, names = context.plan.migrations, Names(model)
        changes = 0
        for node in list(nodes(model)) if migrations else ():
            fresh = {index: _migrated(node, index, migrations) for index in range(len(node.inputs))}
            for index, array in fresh.items():  # only now, since each depends on the others
                value = node.inputs[index]
                if array is not None and value is not None:
                    assert isinstance(node.graph, ir.Graph)
                    migrated = names.initializer(node.graph, f"{value.name}_migrated", array)
                    node.replace_input_with(index, migrated)
                    changes += 1
        if changes:
            remove_dead(model)
        return PassResult(changes)


def migrated_constant(node: ir.Node, index: int, migrations: Migrations) -> Array | None:
    """The constant that an input of the node is once `migrate-scales` has run; None if it is none."""
    changed = _migrated(node, index, migrations) if migrations else None
    return constant(node.inputs[index]) if changed is None else changed


def factors_of(value: ir.Value | None, migrations: Migrations) -> Factors | None:
    """The factors of a value, float64, shape (channels,)."""
    found = None if value is None else migrations.get(value.name or "")
    return None if found is None else np.asarray(found, np.float64)


def _migrated(node: ir.Node, index: int, migrations: Migrations) -> Array | None:
    """What becomes of a constant; None if it is none or stays."""
    array, output = constant(node.inputs[index]), factors_of(node.outputs[0], migrations)
    if array is None:
        return None
    if is_op(node, *LINEAR):
        change = _change_of_linear(node, index, factors_of(node.inputs[0], migrations), output)
    elif output is None:
        return None
    elif is_op(node, *NORMALIZATIONS):
        change = 1 / output
    elif is_op(node, "Add") or (is_op(node, "Mul") and factors_of(node.inputs[1 - index], migrations) is None):
        change = 1 / output.reshape(array.shape)
    else:
        return None
    return None if change is None else (array * change).astype(array.dtype)


def _change_of_linear(node: ir.Node, index: int, into: Factors | None, output: Factors | None) -> Factors | None:
    linear = as_linear(node)
    if isinstance(linear, str) or (into is None and output is None):
        return None
    if index == 2:
        return None if output is None else 1 / output
    change = np.ones(())
    if into is not None:
        change = change * linear.along_inputs(into)
    return change if output is None else change / linear.along_outputs(output)
