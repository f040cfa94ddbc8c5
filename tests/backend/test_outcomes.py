"""The models of the `onnx` package: what becomes of them may only improve on `outcomes.json`."""

from __future__ import annotations

import json
from typing import Any

import onnx
import onnxruntime
import pytest

from benchmarks.backend_cases import SUITES, cases
from benchmarks.backend_outcomes import BAD, GOLDEN, Outcome, golden, outcome

EVERY = 12
"""Of the quick suites so many at a time are left out for one that runs; `make test-all` runs all."""
QUICK = [suite for suite in SUITES if suite != "light"]

RENEW = "if that is right, run: python benchmarks/backend_outcomes.py --write"


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("suite", QUICK)
def test_every_twelfth_model(suite: str, expected: dict[str, Any]) -> None:
    outcomes = [outcome(case) for number, case in enumerate(cases([suite])) if number % EVERY == 0]
    assert outcomes
    check_nothing_new(outcomes, expected)


@pytest.mark.exhaustive
@pytest.mark.parametrize("suite", SUITES)
def test_all_models(suite: str, expected: dict[str, Any]) -> None:
    outcomes = [outcome(case) for case in cases([suite])]
    check_nothing_new(outcomes, expected)
    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    if versions != expected["versions"]:
        pytest.skip(f"counted with {expected['versions']}, here is {versions}: the counts do not compare")
    counts, before = golden(outcomes)["suites"][suite], expected["suites"][suite]
    assert counts.get("quantized", 0) >= before.get("quantized", 0), RENEW
    refused = {kind: number for kind, number in counts.items() if kind.startswith("refused")}
    assert all(number <= before.get(kind, 0) for kind, number in refused.items()), RENEW


@pytest.mark.parametrize("kind", BAD)
def test_no_model_is_ruined(kind: str, expected: dict[str, Any]) -> None:
    assert expected["names"][kind] == []


def test_useful_products_are_on_integers(expected: dict[str, Any]) -> None:
    useful = expected["useful products"]
    assert useful["on integers"] >= 0.9 * useful["models"] > 0


def check_nothing_new(outcomes: list[Outcome], expected: dict[str, Any]) -> None:
    """No crash, no wrong result, and no refusal of a model that onnxruntime runs but those that are listed."""
    listed = expected["names"]
    new = [
        f"{found.suite}/{found.name}: {found.kind}: {found.detail}"
        for found in outcomes
        if (found.kind in BAD or found.kind.startswith("refused: "))
        and f"{found.suite}/{found.name}" not in listed.get(found.kind, ())
    ]
    assert not new, "\n".join([*new, RENEW])
