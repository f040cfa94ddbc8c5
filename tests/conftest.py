"""What the tests share: models from text, runs in onnxruntime, and the check of a rewrite."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from qcompile.decide import known_ranges, make_plan, place
from qcompile.ir import remove_dead, to_proto
from qcompile.pipeline import OBSERVED, Context, Pass, PassResult, Pipeline, VerifyEach
from qcompile.plan import Plan
from qcompile.quant import QuantParams
from qcompile.targets import Target, find_target

Feed = Mapping[str, np.ndarray]
CheckRewrite = Callable[..., PassResult]


def parse(text: str, **initializers: np.ndarray) -> ir.Model:
    """A model from ONNX text; arrays given by name become its initializers."""
    tensors = [ir.tensor(array, name=name) for name, array in initializers.items()]
    return ir.from_onnx_text(text, initializers=tensors)


def run(model: ir.Model, feed: Feed) -> list[np.ndarray]:
    """Outputs in onnxruntime with nothing optimised."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        to_proto(model.clone()).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feed)))


def random_feed(model: ir.Model, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal values for every float input; symbolic dimensions become 2."""
    rng = np.random.default_rng(seed)
    feed = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.dtype is not None and value.name is not None
        shape = [d if isinstance(d, int) else 2 for d in value.shape]
        feed[value.name] = rng.normal(size=shape).astype(value.dtype.numpy())
    return feed


def text(model: ir.Model) -> str:
    """The graph as text, weights by name and type only, so that structures compare."""
    remove_dead(model)
    return ir.to_onnx_text(model, exclude_initializers=True)


@pytest.fixture
def check_rewrite() -> CheckRewrite:
    """`check(step, before, after, feed=None, tolerance=1e-5, **arrays)`: text in, text out, and equal numbers.

    `before` is ONNX text, `arrays` its initializers by name. `after` is the expected text (None: unchanged), in which
    initializers are given as value declarations without data. Both models must give the same outputs in onnxruntime.
    """

    def check(
        step: Pass,
        before: str,
        after: str | None,
        *,
        feed: Feed | None = None,
        tolerance: float = 1e-5,
        context: Context | None = None,
        **arrays: np.ndarray,
    ) -> PassResult:
        model = parse(before, **arrays)
        unchanged = text(model.clone())
        feed = feed or random_feed(model)
        expected = run(model, feed)
        result = step.run(model, context or Context())
        got = run(model, feed)
        for old, new in zip(expected, got, strict=True):
            assert old.dtype == new.dtype
            np.testing.assert_allclose(new, old, rtol=tolerance, atol=tolerance)
        lines = [line.strip() for line in text(model).splitlines() if line.strip()]
        wanted = unchanged if after is None else text(parse(after))
        assert _graph_lines(lines) == _graph_lines([line.strip() for line in wanted.splitlines() if line.strip()])
        assert bool(result.changes) == (after is not None)
        return result

    return check


def _graph_lines(lines: list[str]) -> list[str]:
    """Interface and nodes; header and declarations of intermediates aside."""
    return [line.removesuffix(" {") for line in lines if "=>" in line or (" = " in line and "(" in line)]


@dataclass(frozen=True)
class Quantized:
    """One graph at every step of the way, with the feed that gave its ranges."""

    canonical: ir.Model
    plan: Plan
    qdq: ir.Model
    lowered: ir.Model
    feed: Feed


@pytest.fixture
def quantize() -> Callable[..., Quantized]:
    """`quantize(interface, nodes, target=..., ranges=..., exclude=..., **weights)`: place, plan by min-max, rewrite.

    `interface` reads "(float[1,2] x) => (float[1,2] y)", `nodes` is ONNX text, weights are arrays or shapes of random
    ones. `ranges` overrides what one random feed gives. int8 codes stay within 6 bits, so that machines without VNNI do
    not saturate.
    """

    def quantize(
        interface: str,
        nodes: str,
        *,
        target: Target | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        exclude: Sequence[str] = (),
        **weights: np.ndarray | tuple[int, ...],
    ) -> Quantized:
        model, context = float_graph(interface, nodes, **weights), Context(target=target or find_target("cpu"))
        stages = Pipeline.default()
        Pipeline([("canonicalize", p) for p in stages if p.name in ("name-nodes", "infer-shapes")]).run(model, context)
        placement = place(model, context.target, exclude)
        feed = random_feed(model)
        context.observed = placement.observed
        observed, _ = stages.stage("observe").run(model.clone(), context)
        shown = [v.metadata_props.get(OBSERVED, v.name) for v in observed.graph.outputs]
        seen = dict(feed) | dict(zip(shown, run(observed, feed), strict=True))
        found = {name: (float(seen[name].min()), float(seen[name].max())) for name in placement.observed}
        found |= known_ranges(model, placement) | dict(ranges or {})
        context.plan = plan = make_plan(placement, found, context.target, "qoperator")
        plan.weights = {key: _six_bits(params) for key, params in plan.weights.items()}
        hooks = [VerifyEach(model, context)]
        qdq, _ = stages.stage("quantize").run(model.clone(), context, hooks)
        lowered, _ = stages.stage("lower").run(qdq.clone(), context, hooks)
        return Quantized(model, plan, qdq, lowered, feed)

    return quantize


def float_graph(interface: str, nodes: str, **weights: np.ndarray | tuple[int, ...]) -> ir.Model:
    """A model of the newest supported opset; weights given by shape are normal numbers."""
    rng = np.random.default_rng(1)
    arrays = {
        name: rng.normal(size=given).astype(np.float32) if isinstance(given, tuple) else given
        for name, given in weights.items()
    }
    types = {"float32": "float"}
    declared = [
        f"{types.get(a.dtype.name, a.dtype.name)}[{','.join(map(str, a.shape))}] {n}".replace("[]", "")
        for n, a in arrays.items()
    ]
    text = f'<ir_version: 10, opset_import: ["": 21]> g {interface} <{", ".join(declared)}> {{ {nodes} }}'
    return parse(re.sub(r"<>", "", text), **arrays)


def _six_bits(params: QuantParams) -> QuantParams:
    """A weight's scales four times as wide; constant activations stay."""
    is_weight = params.zero_point.dtype == np.int8 and not params.zero_point.any()
    return QuantParams(params.scale * np.float32(4), params.zero_point, params.axis) if is_weight else params
