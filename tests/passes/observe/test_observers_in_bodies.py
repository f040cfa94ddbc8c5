"""insert-observers and remove-observers on bodies of If, Loop and Scan: what calibration sees of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qcompile.calibrate import observe
from qcompile.errors import CalibrationError
from qcompile.passes.observe import InsertObservers, RemoveObservers
from qcompile.pipeline import EXTREMES, OBSERVED, Context
from qcompile.quant import MinMaxObserver
from qcompile.runtime import run_as_written

Feed = dict[str, np.ndarray]
Case = tuple[str, list[str], Feed, dict[str, list[float]]]

HEAD = '<ir_version: 10, opset_import: ["": 21]>'
X = np.array([1, -2, 3, -4], np.float32)

IF = """g (float[4] x, bool c) => (float[4] y) {
    y = If (c) <
      then_branch = yes () => (float[4] p) { t = Neg(x) p = Exp(t) },
      else_branch = no () => (float[4] q) { e = Abs(x) q = Sqrt(e) }
    >
}"""
NESTED_IF = """g (float[4] x, bool c, bool d) => (float[4] y) {
    y = If (c) <
      then_branch = yes () => (float[4] p) {
        p = If (d) <
          then_branch = inner () => (float[4] p1) { t = Neg(x) p1 = Exp(t) },
          else_branch = other () => (float[4] p2) { u = Abs(x) p2 = Sqrt(u) }
        >
      },
      else_branch = no () => (float[4] q) { q = Relu(x) }
    >
}"""
LOOP = """g (float[4] x, int64 n) => (float[4] y) <bool yes = {1}> {
    y = Loop (n, yes, x) <body = b (int64 i, bool go, float[4] h) => (bool more, float[4] next) {
      more = Identity(go) t = Abs(h) next = Add(h, t)
    }>
}"""
SCAN = """g (float[4] h0, float[3, 4] x) => (float[4] y, float[4, 3] z) {
    y, z = Scan <num_scan_inputs = 1, scan_output_axes = [1], scan_output_directions = [1],
      body = b (float[4] h, float[4] s) => (float[4] next, float[4] o) { next = Add(h, s) o = Neg(next) }
    > (h0, x)
}"""
IF_IN_LOOP = """g (float[4] x, int64 n) => (float[4] y) <bool yes = {1}, int64 first = {0}> {
    y = Loop (n, yes, x) <body = b (int64 i, bool go, float[4] h) => (bool more, float[4] next) {
      more = Identity(go) is_first = Equal(i, first)
      next = If (is_first) <
        then_branch = one () => (float[4] p) { t = Neg(h) p = Identity(t) },
        else_branch = rest () => (float[4] q) { e = Add(h, h) q = Identity(e) }
      >
    }>
}"""
LOOP_IN_IF = """g (float[4] x, int64 n, bool c) => (float[4] y) <bool yes = {1}> {
    y = If (c) <
      then_branch = t () => (float[4] p) {
        p = Loop (n, yes, x) <body = b (int64 i, bool go, float[4] h) => (bool more, float[4] next) {
          more = Identity(go) next = Add(h, h)
        }>
      },
      else_branch = e () => (float[4] q) { q = Relu(x) }
    >
}"""
LOOP_IN_LOOP = """g (float[4] x, int64 n) => (float[4] y) <bool yes = {1}> {
    y = Loop (n, yes, x) <body = b (int64 i, bool go, float[4] h) => (bool more, float[4] next) {
      more = Identity(go)
      next = Loop (i, yes, h) <body = c (int64 j, bool on, float[4] k) => (bool again, float[4] r) {
        again = Identity(on) r = Add(k, k)
      }>
    }>
}"""


def array(number: int | bool) -> np.ndarray:
    return np.array(number)


CASES: dict[str, Case] = {
    "branch taken": (IF, ["t", "e"], {"x": X, "c": array(True)}, {"t": [-1, 2, -3, 4], "e": []}),
    "branch passed by": (IF, ["t", "e"], {"x": X, "c": array(False)}, {"t": [], "e": [1, 2, 3, 4]}),
    "branch's own output": (IF, ["q", "y"], {"x": X * X, "c": array(False)}, {"q": [1, 2, 3, 4]}),
    "nested If": (
        NESTED_IF,
        ["t", "u", "q"],
        {"x": X, "c": array(True), "d": array(False)},
        {"t": [], "u": [1, 2, 3, 4], "q": []},
    ),
    "outer branch passed by": (
        NESTED_IF,
        ["t", "u", "q"],
        {"x": X, "c": array(False), "d": array(True)},
        {"t": [], "u": [], "q": [1, 0, 3, 0]},
    ),
    "Loop": (
        LOOP,
        ["h", "t", "next"],
        {"x": X, "n": array(2)},
        {"h": [-4, 3, 0, 6], "t": [1, 4, 0, 6], "next": [0, 6, 0, 12]},
    ),
    "no iteration": (LOOP, ["h", "t"], {"x": X, "n": array(0)}, {"h": [], "t": []}),
    "Scan": (
        SCAN,
        ["h", "s", "o"],
        {"h0": 0 * X, "x": np.stack([X, X, -X])},
        {"h": [0, 0, -4, 3, -8, 6], "s": [-4, 3, -4, 3, -3, 4], "o": [-3, 4, -6, 8, -3, 4]},
    ),
    "If in a Loop": (
        IF_IN_LOOP,
        ["t", "e"],
        {"x": X, "n": array(3)},
        {"t": [-3, 4], "e": [-6, 8, -12, 16]},
    ),
    "If in a Loop, branch never taken": (
        IF_IN_LOOP,
        ["t", "e"],
        {"x": X, "n": array(1)},
        {"t": [-3, 4], "e": []},
    ),
    "Loop in an If": (
        LOOP_IN_IF,
        ["h", "q"],
        {"x": X, "n": array(2), "c": array(True)},
        {"h": [-4, 3, -8, 6], "q": []},
    ),
    "Loop in an If, passed by": (
        LOOP_IN_IF,
        ["h", "q"],
        {"x": X, "n": array(2), "c": array(False)},
        {"h": [], "q": [1, 0, 3, 0]},
    ),
    "Loop in a Loop": (
        LOOP_IN_LOOP,
        ["k", "h"],
        {"x": X, "n": array(3)},
        {"k": [-4, 3, -16, 12], "h": [-4, 3, -4, 3, -8, 6]},
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def parse(text: str) -> ir.Model:
    return ir.from_proto(onnx.parser.parse_model(HEAD + text))


def observed(text: str, names: list[str]) -> ir.Model:
    model = parse(text)
    InsertObservers(names).run(model, Context())
    return model


def test_what_is_shown(case: Case) -> None:
    """Elements of a branch; of iterations the smallest and the largest; of what did not run nothing."""
    text, names, feed, expected = case
    model = observed(text, names)
    plain = len(parse(text).graph.outputs)
    shown = [value.metadata_props[OBSERVED] for value in model.graph.outputs[plain:]]
    found = dict(zip(shown, run_as_written(model, feed)[plain:], strict=True))
    assert {name: found[name].reshape(-1).tolist() for name in expected} == expected


def test_the_outputs_of_the_model_stay(case: Case) -> None:
    text, names, feed, _ = case
    before = run_as_written(parse(text), feed)
    after = run_as_written(observed(text, names), feed)
    for old, new in zip(before, after[: len(before)], strict=True):
        np.testing.assert_array_equal(old, new)


def test_removing_is_the_inverse(case: Case) -> None:
    text, names, _, _ = case
    before = ir.to_onnx_text(parse(text))
    model = parse(text)
    inserted = InsertObservers(names).run(model, Context())
    assert inserted.changes > 0
    assert RemoveObservers().run(model, Context()) == inserted
    assert ir.to_onnx_text(model) == before
    assert not any(value.metadata_props for node in model.graph for value in node.outputs)


def test_a_result_of_control_flow_is_a_value_like_any_other() -> None:
    """It is no output that was added, and stays when those go."""
    text = IF.replace("(float[4] y) {", "(float[4] z) {").rstrip("}") + " z = Neg(y) }"
    model = observed(text, ["y", "t"])
    assert [value.name for value in model.graph.outputs] == ["z", "y", "t_observed"]
    RemoveObservers().run(model, Context())
    assert ir.to_onnx_text(model) == ir.to_onnx_text(parse(text))


def test_only_what_stands_for_iterations_says_so() -> None:
    for text, name, iterated in ((IF, "t", False), (LOOP, "t", True), (LOOP_IN_IF, "h", True)):
        assert (EXTREMES in observed(text, [name]).graph.outputs[-1].metadata_props) is iterated


# The calibration run over such a model.


def test_a_branch_never_taken_is_not_seen() -> None:
    feeds = [{"x": X, "c": array(True)}, {"x": 2 * X, "c": array(True)}]
    seen = observe(observed(IF, ["t", "e"]), ["x", "t", "e"], feeds, MinMaxObserver)
    assert seen.seen == {"x", "t"}
    assert seen.observers["t"] == MinMaxObserver().observe(-2 * X)


def test_both_branches_are_seen_by_samples_that_take_them() -> None:
    feeds = [{"x": X, "c": array(True)}, {"x": 2 * X, "c": array(False)}]
    seen = observe(observed(IF, ["t", "e"]), ["t", "e"], feeds, MinMaxObserver)
    assert seen.observers["t"] == MinMaxObserver().observe(-X)
    assert seen.observers["e"] == MinMaxObserver().observe(2 * np.abs(X))


def test_values_of_iterations_have_a_range_but_no_mean() -> None:
    feeds = [{"x": X, "n": array(1)}, {"x": X, "n": array(2)}]
    seen = observe(observed(LOOP, ["h"]), ["h"], feeds, MinMaxObserver, {"h": 0, "x": 0})
    assert seen.observers["h"] == MinMaxObserver().observe(np.array([-4, 6], np.float32))
    assert (seen.means["h"].count, seen.means["x"].count) == (0, 2)


def test_an_infinity_in_an_iteration_is_found() -> None:
    text = LOOP.replace("t = Abs(h)", "t = Reciprocal(h)")
    with pytest.raises(CalibrationError, match="infinite in tensor 't' on sample 0 "):
        observe(observed(text, ["t"]), ["t"], [{"x": 0 * X, "n": array(1)}], MinMaxObserver)
