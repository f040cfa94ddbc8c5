"""`passes` and `targets`: what there is, and what one of them does."""

from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

from qcompile.passes import DEFAULT_ORDER
from qcompile.pipeline import Pipeline
from qcompile.targets import find_target, target_names

Run = Callable[..., Result]


def test_passes_are_listed_in_running_order(qcompile_: Run) -> None:
    title, *lines = qcompile_("passes").stdout.splitlines()
    assert title.split()[:2] == ["stage", "pass"]
    listed = [line.split()[:2] for line in lines if not line.startswith(" ")]
    assert listed == [[stage, entry.name] for stage, entry in Pipeline.default().entries]
    assert len(listed) >= len(DEFAULT_ORDER)


def test_a_pass_is_explained(qcompile_: Run) -> None:
    result = qcompile_("passes", "fold-batchnorm")
    facts = json.loads(qcompile_("passes", "fold-batchnorm", "--json", "-").stdout)
    assert result.stdout.startswith("fold-batchnorm (stage canonicalize)\n\n")
    assert facts["summary"] in result.stdout
    assert facts["documentation"].startswith(facts["summary"])


def test_every_pass_says_what_it_does(qcompile_: Run) -> None:
    assert all(entry["summary"] for entry in json.loads(qcompile_("passes", "--json", "-").stdout)["passes"])


def test_targets_are_listed(qcompile_: Run) -> None:
    _, *lines = qcompile_("targets").stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == target_names()
    assert "derived, not measured" in next(line for line in lines if line.startswith("xnnpack"))


def test_a_target_lists_its_ops(qcompile_: Run) -> None:
    _, *lines = qcompile_("targets", "cpu").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(find_target("cpu").table)
    assert next(line.split() for line in lines if line.startswith("Gemm")) == [
        "Gemm",
        "weighted",
        "integer,",
        "integer-to-float,",
        "dynamic",
        "Relu,",
        "Clip",
    ]


def test_json_of_a_target_says_the_same_and_what_is_refused(qcompile_: Run) -> None:
    facts = json.loads(qcompile_("targets", "cpu", "--json", "-").stdout)
    gemm = next(op for op in facts["ops"] if op["op_type"] == "Gemm")
    assert gemm["forms"] == ["integer", "integer-to-float", "dynamic"]
    assert "bias is no vector" in gemm["refused"]
