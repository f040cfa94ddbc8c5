"""Stages, their needs, and what can be done to a pipeline from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.errors import QCompileError
from qcompile.pipeline import STAGES, Context, Pass, PassResult, Pipeline
from qcompile.plan import Code, Plan, Reason

TEXT = '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { [relu] y = Relu(x) }'
WITHOUT_PLAN = ["canonicalize", "observe"]


class Mark(Pass):
    """Notes that it ran in the model's metadata."""

    name = "mark"

    def __init__(self, name: str = "mark") -> None:
        self.name = name  # type: ignore[misc]

    def run(self, model: ir.Model, context: Context) -> PassResult:
        ran = model.metadata_props.get("ran", "").split()
        model.metadata_props["ran"] = " ".join([*ran, self.name])
        return PassResult(len(ran), (("relu", Reason(Code.RULE_DECLINED, self.name)),))


@pytest.fixture
def pipeline() -> Pipeline:
    """Two passes a stage, named after it."""
    return Pipeline([(stage, Mark(f"{stage}-{number}")) for stage in STAGES for number in (1, 2)])


def ran(pipeline: Pipeline, context: Context) -> list[str]:
    model, trace = pipeline.run(ir.from_onnx_text(TEXT), context)
    names = model.metadata_props.get("ran", "").split()
    assert [step.name for step in trace.steps] == names
    return names


def stages_ran(pipeline: Pipeline, context: Context) -> list[str]:
    return list(dict.fromkeys(name.rpartition("-")[0] for name in ran(pipeline, context)))


def test_the_built_in_order_runs_through_the_stages_in_theirs() -> None:
    default = Pipeline.default()
    stages = [stage for stage, _ in default.entries]
    assert stages == sorted(stages, key=STAGES.index)
    assert len(set(default.names)) == len(default.names)
    assert [step.name for step in default] == list(default.names)


@pytest.mark.parametrize("name", Pipeline.default().names)
def test_every_pass_has_a_line_to_print(name: str) -> None:
    step = next(step for step in Pipeline.default() if step.name == name)
    line = (type(step).__doc__ or "").splitlines()[0]
    assert line.endswith(".")
    assert name == name.lower()


def test_without_a_plan_it_stops_after_observe(pipeline: Pipeline) -> None:
    assert stages_ran(pipeline, Context()) == WITHOUT_PLAN


def test_with_a_plan_there_is_nothing_to_observe(pipeline: Pipeline) -> None:
    assert stages_ran(pipeline, Context(plan=Plan("cpu"))) == ["canonicalize", "repair", "quantize", "lower"]


def test_the_qdq_form_is_not_lowered(pipeline: Pipeline) -> None:
    assert stages_ran(pipeline, Context(plan=Plan("cpu", format="qdq"))) == ["canonicalize", "repair", "quantize"]


def test_stages_run_apart(pipeline: Pipeline) -> None:
    assert pipeline.stage("observe").names == ("observe-1", "observe-2")
    assert stages_ran(pipeline.stage("observe", "canonicalize"), Context()) == WITHOUT_PLAN
    assert len(pipeline.names) == 2 * len(STAGES)


def test_insert_after_and_before(pipeline: Pipeline) -> None:
    pipeline.insert_after("canonicalize-2", Mark("canonicalize-3"))
    pipeline.insert_before("observe-1", Mark("observe-0"))
    assert pipeline.names[:6] == (
        *("canonicalize-1", "canonicalize-2", "canonicalize-3"),
        *("observe-0", "observe-1", "observe-2"),
    )
    assert pipeline.stage("canonicalize").names[-1] == "canonicalize-3"
    assert pipeline.stage("observe").names[0] == "observe-0"


def test_replace_and_remove(pipeline: Pipeline) -> None:
    pipeline.replace("canonicalize-1", Mark("other"))
    pipeline.remove("canonicalize-2")
    assert pipeline.stage("canonicalize").names == ("other",)


def test_changing_one_pipeline_leaves_the_next_default_alone() -> None:
    changed = Pipeline.default()
    changed.remove(changed.names[0])
    assert len(Pipeline.default().names) == len(changed.names) + 1


@pytest.mark.parametrize("method", ["insert_after", "insert_before", "replace", "remove"])
def test_unknown_names_list_what_there_is(method: str, pipeline: Pipeline) -> None:
    arguments = ["fold-nothing"] if method == "remove" else ["fold-nothing", Mark()]
    with pytest.raises(QCompileError, match=r"^no pass 'fold-nothing' in the pipeline; there are canonicalize-1, "):
        getattr(pipeline, method)(*arguments)


def test_hooks_see_the_model_after_each_pass(pipeline: Pipeline) -> None:
    seen: list[tuple[str, str]] = []
    context = Context()

    def hook(step: Pass, model: ir.Model, given: Context) -> None:
        assert given is context
        seen.append((step.name, model.metadata_props["ran"].split()[-1]))

    pipeline.run(ir.from_onnx_text(TEXT), context, [hook, hook])
    assert [name for name, _ in seen] == [f"{stage}-{n}" for stage in WITHOUT_PLAN for n in (1, 1, 2, 2)]
    assert all(name == last for name, last in seen)


def test_an_error_of_a_hook_ends_the_run(pipeline: Pipeline) -> None:
    def refuse(step: Pass, model: ir.Model, context: Context) -> None:
        raise QCompileError(f"not after {step.name}")

    model = ir.from_onnx_text(TEXT)
    with pytest.raises(QCompileError, match="not after canonicalize-1"):
        pipeline.run(model, Context(), [refuse])
    assert model.metadata_props["ran"] == "canonicalize-1"


def test_the_trace_says_what_each_pass_did(pipeline: Pipeline) -> None:
    _, trace = pipeline.stage("canonicalize").run(ir.from_onnx_text(TEXT), Context())
    first, second = trace.steps
    assert (first.stage, first.name, first.result.changes) == ("canonicalize", "canonicalize-1", 0)
    assert second.result.changes == 1
    assert second.result.declined == (("relu", Reason(Code.RULE_DECLINED, "canonicalize-2")),)
    assert first.seconds >= 0
    assert (trace + trace).steps == (first, second, first, second)


def test_a_run_changes_the_model_itself_and_declares_versions() -> None:
    model = ir.from_onnx_text(TEXT)
    model.ir_version = 3
    returned, _ = Pipeline([]).run(model, Context())
    assert returned is model
    assert model.ir_version == 10


def test_the_default_passes_leave_a_model_that_needs_nothing_alone() -> None:
    model = ir.from_onnx_text(TEXT)
    Pipeline.default().run(model, Context(feed={"x": np.ones(2, np.float32)}))
    assert [node.name for node in model.graph] == ["relu"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on the path with a pass `Own`; the test writes its entry points."""
    info = tmp_path / "more-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    (tmp_path / "more_passes.py").write_text(
        "from qcompile.pipeline import Pass, PassResult\n"
        "class Own(Pass):\n    name = 'own'\n    def run(self, model, context): return PassResult()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return info / "entry_points.txt"


@pytest.mark.parametrize("stage", STAGES)
def test_registered_passes_run_last_in_their_stage(stage: str, package: Path) -> None:
    package.write_text(f"[qcompile.passes]\n{stage}.own = more_passes:Own\n")
    default = Pipeline.default()
    assert default.stage(stage).names[-1] == "own"
    assert [stage for stage, _ in default.entries] == sorted((s for s, _ in default.entries), key=STAGES.index)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("lower.own = qcompile.plan:Plan", r"^no pass in entry point 'lower\.own' \(qcompile\.plan:Plan is no "),
        ("polish.own = more_passes:Own", r"^no stage 'polish' for pass 'own' .*; there are canonicalize, observe, "),
    ],
)
def test_registered_wrongly(entry: str, said: str, package: Path) -> None:
    package.write_text(f"[qcompile.passes]\n{entry}\n")
    with pytest.raises(QCompileError, match=said):
        Pipeline.default()
