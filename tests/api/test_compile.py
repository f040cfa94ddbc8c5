"""Compiling: what comes out is right, keeps what it must, and says what it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

import qcompile
from qcompile import CompileResult, Context, Pass, PassResult, Pipeline, models
from qcompile.errors import CalibrationError, RecipeError, TargetError
from qcompile.ir import to_proto
from qcompile.passes.canonicalize import FoldBatchNorm
from qcompile.plan import Code, sha256
from qcompile.quant import OBSERVERS

Feed = dict[str, np.ndarray]
Compiled = Callable[..., CompileResult]
CNNS = ("residual", "depthwise")
SEQUENCE_NETS = ("encoder", "lstm")
WEIGHTED = {"Conv", "Gemm", "MatMul"}


def session(model: ir.Model | Path) -> ort.InferenceSession:
    content = model.read_bytes() if isinstance(model, Path) else to_proto(model.clone()).SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def accuracy(name: str, model: ir.Model | Path) -> float:
    net = session(model)
    return models.accuracy(name, lambda feed: list(net.run(None, feed)))


def ops(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def graph_bytes(result: CompileResult) -> bytes:
    return bytes(to_proto(result.model.clone()).SerializeToString(deterministic=True))


# The shipped models.


@pytest.mark.parametrize("name", CNNS)
def test_convolution_nets_run_on_integers(name: str, compiled: Compiled) -> None:
    result = compiled(name)
    weighted = [node for node in result.operators if node.op_type in WEIGHTED]
    assert result.status == "compiled"
    assert len(weighted) > 8
    assert all(node.integer and node.macs > 0 for node in weighted)
    assert not ops(result.model).keys() & (WEIGHTED | {"BatchNormalization"})


@pytest.mark.parametrize(("name", "loss"), [*((n, 0.01) for n in CNNS), *((n, 0.02) for n in SEQUENCE_NETS)])
def test_accuracy_stays(name: str, loss: float, compiled: Compiled) -> None:
    assert accuracy(name, compiled(name).model) >= accuracy(name, models.path(name)) - loss


@pytest.mark.parametrize("name", SEQUENCE_NETS)
def test_what_stays_float_says_why(name: str, compiled: Compiled) -> None:
    result = compiled(name)
    float_nodes = [node for node in result.operators if not node.integer]
    assert float_nodes
    assert result.stayed_float == [(node.name, node.reason) for node in float_nodes]
    assert all(reason.text for _, reason in result.stayed_float)


def test_an_lstm_is_integer_where_the_format_has_a_kernel(compiled: Compiled) -> None:
    assert [report.integer for report in compiled("lstm").operators if report.op_type == "LSTM"] == [True]
    reasons = {name: reason for name, reason in compiled("lstm", format="qdq").stayed_float if name.endswith("LSTM")}
    assert [(reason.code, reason.detail) for reason in reasons.values()] == [(Code.NO_INTEGER_KERNEL, "LSTM")]


@pytest.mark.parametrize("name", models.names())
def test_outputs_are_finite_on_any_batch(name: str, compiled: Compiled) -> None:
    net = session(compiled(name).model)
    for batch in (1, 2, 5):
        (logits,) = net.run(None, {"image": np.random.default_rng(batch).random((batch, 1, 32, 32), np.float32)})
        assert logits.shape == (batch, 10)
        assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", models.names())
def test_interface_and_metadata_stay(name: str, compiled: Compiled) -> None:
    old, result = onnx.load(models.path(name)), compiled(name)
    new = to_proto(result.model.clone())
    assert list(new.graph.input) == list(old.graph.input)
    assert list(new.graph.output) == list(old.graph.output)
    for said in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        assert getattr(new, said) == getattr(old, said)
    assert result.plan is not None
    added = {
        "qcompile.version": qcompile.__version__,
        "qcompile.plan.sha256": sha256(result.plan),
        "qcompile.calibration": "data",
        "qcompile.requires": result.requires,
        "qcompile.exact_on": ", ".join(result.exact_on),
        "qcompile.tuned_for": "",  # the form was given
    }
    assert {p.key: p.value for p in new.metadata_props} == {p.key: p.value for p in old.metadata_props} | added


@pytest.mark.parametrize("name", models.names())
def test_every_pass_verifies(name: str, compiled: Compiled, shipped_feeds: Callable[..., list[Feed]]) -> None:
    result = qcompile.compile(models.path(name), calib=shipped_feeds(name), verify_each=True, format="qoperator")
    assert graph_bytes(result) == graph_bytes(compiled(name))


def test_the_facts_of_a_result(compiled: Compiled, tmp_path: Path) -> None:
    result = compiled("residual")
    result.save(tmp_path / "out.onnx")
    assert (result.samples, result.held_back) == (16, 2)
    assert result.size_before == models.path("residual").stat().st_size
    assert result.size_after == (tmp_path / "out.onnx").stat().st_size
    assert result.sqnr_db == min(output.sqnr_db for output in result.fidelity) > 30
    assert result.warnings == ()


# The same bytes.

PRINT_DIGEST = """
import hashlib, qcompile
from itertools import islice
from qcompile import models
feeds = islice(models.calibration("depthwise"), 16)
result = qcompile.compile(models.path("depthwise"), calib=feeds, format="qoperator")
result.save({path!r})
print(hashlib.sha256(open({path!r}, "rb").read()).hexdigest())
"""


def test_the_same_bytes_whatever_the_seed_of_hashes(compiled: Compiled, tmp_path: Path) -> None:
    digests = {hashlib.sha256(graph_bytes(compiled("depthwise"))).hexdigest()}
    for seed in ("0", "1"):
        code = PRINT_DIGEST.format(path=str(tmp_path / f"{seed}.onnx"))
        environment = os.environ | {"PYTHONHASHSEED": seed}
        digests.add(subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip())
    assert len(digests) == 1


def test_the_same_bytes_whatever_the_number_of_threads(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    results = [qcompile.compile(conv_net, calib=conv_feeds, threads=threads, format="qoperator") for threads in (1, 2)]
    assert graph_bytes(results[0]) == graph_bytes(results[1])


def test_synthetic_samples_follow_the_seed(conv_net: onnx.ModelProto) -> None:
    shapes = {"x": (1, 4, 8, 8)}
    first, again, other = (
        qcompile.compile(conv_net, input_shapes=shapes, seed=seed, format="qoperator") for seed in (0, 0, 1)
    )
    assert graph_bytes(first) == graph_bytes(again) != graph_bytes(other)
    (warning,) = first.warnings
    assert warning.startswith("no calibration data")
    assert qcompile.compile(conv_net, input_shapes=shapes, warn=False, format="qoperator").warnings == ()


# What can be asked for.


def test_an_excluded_node_stays_float(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, exclude=["^second$"], format="qoperator")
    assert [(name, reason.code, reason.detail) for name, reason in result.stayed_float] == [
        ("second", Code.EXCLUDED, "^second$")
    ]
    assert ops(result.model)["Conv"] == 1
    assert ops(result.model)["QLinearConv"] == 1


def test_an_op_type_is_excluded_whole(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, exclude=["Conv"], format="qoperator")
    assert result.status == "nothing-to-quantize"


def test_an_expression_that_matches_nothing(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    with pytest.raises(RecipeError, match=r"^--exclude 'third' matches no node name"):
        qcompile.compile(conv_net, calib=conv_feeds, exclude=["third"], format="qoperator")


@pytest.mark.parametrize("name", CNNS)
def test_the_qdq_form_is_fused_by_the_runtime(name: str, compiled: Compiled, tmp_path: Path) -> None:
    result = compiled(name, format="qdq")
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= ops(result.model).keys()
    assert not any(op.startswith("QLinear") for op in ops(result.model))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(to_proto(result.model.clone()).SerializeToString(), options, ["CPUExecutionProvider"])
    optimized = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert not optimized.keys() & WEIGHTED
    assert optimized["QLinearConv"] == ops(result.model)["Conv"]
    assert {reason.code for _, reason in result.stayed_float} <= {Code.NO_INTEGER_KERNEL, Code.NOT_BETWEEN_INTEGERS}


def test_both_forms_mean_the_same(compiled: Compiled, shipped_feeds: Callable[..., list[Feed]]) -> None:
    """Up to rounding ties, a few of which go all the way through."""
    integer, qdq = session(compiled("residual").model), session(compiled("residual", format="qdq").model)
    for feed in shipped_feeds("residual"):
        (a,), (b,) = integer.run(None, feed), qdq.run(None, feed)
        assert np.abs(a - b).max() <= 0.02 * np.ptp(a)


def test_xnnpack_takes_signed_activations_in_qdq_form(compiled: Compiled) -> None:
    result = compiled("residual", target="xnnpack")
    zero_points = [node.inputs[2] for node in result.model.graph if node.op_type == "QuantizeLinear"]
    assert ops(result.model)["Conv"] > 0
    assert {value.dtype for value in zero_points if value is not None} == {ir.DataType.INT8}
    assert accuracy("residual", result.model) >= accuracy("residual", models.path("residual")) - 0.01


class CountNodes(Pass):
    """Count the nodes without a change."""

    name: ClassVar[str] = "count-nodes"

    def __init__(self) -> None:
        self.counts: list[int] = []

    def run(self, model: ir.Model, context: Context) -> PassResult:
        self.counts.append(model.graph.num_nodes())
        return PassResult()


def test_a_pass_of_the_user_runs_where_it_was_put(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    pipeline, mine = Pipeline.default(), CountNodes()
    pipeline.insert_after(FoldBatchNorm.name, mine)
    result = qcompile.compile(conv_net, calib=conv_feeds, pipeline=pipeline, format="qoperator")
    names = [step.name for step in result.trace.steps]
    assert mine.counts == [3]
    assert names[names.index(FoldBatchNorm.name) + 1] == "count-nodes"
    assert graph_bytes(result) == graph_bytes(qcompile.compile(conv_net, calib=conv_feeds, format="qoperator"))


def test_hooks_see_every_pass(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    seen: list[str] = []
    result = qcompile.compile(
        conv_net, calib=conv_feeds, hooks=[lambda step, model, context: seen.append(step.name)], format="qoperator"
    )
    observing = Pipeline.default().stage("observe").names
    assert seen == [step.name for step in result.trace.steps if step.name not in observing]


@pytest.mark.parametrize("observer", OBSERVERS)
def test_one_observer_for_all_values(observer: str, conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, observer=observer, format="qoperator")
    assert result.plan is not None
    assert result.plan.notes["observer"] == observer
    assert result.sqnr_db > 20


def test_choices_that_are_not_there(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    with pytest.raises(CalibrationError, match=r"^no observer 'median'; there are min-max, percentile, mse, entropy"):
        qcompile.compile(conv_net, calib=conv_feeds, observer="median", format="qoperator")
    with pytest.raises(TargetError, match=r"^no target 'toaster'; there are cpu"):
        qcompile.compile(conv_net, calib=conv_feeds, target="toaster")
    with pytest.raises(TargetError, match=r"^no format 'qoperator' for target xnnpack"):
        qcompile.compile(conv_net, calib=conv_feeds, target="xnnpack", format="qoperator")
    with pytest.raises(TargetError, match=r"^no 4-bit weights"):
        qcompile.compile(conv_net, calib=conv_feeds, bits=4, format="qoperator")


def test_fewer_samples(conv_net: onnx.ModelProto, conv_feeds: list[Feed]) -> None:
    result = qcompile.compile(conv_net, calib=conv_feeds, max_samples=5, format="qoperator")
    assert (result.samples, result.held_back) == (5, 5)
