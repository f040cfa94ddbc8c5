"""Plans come back from their files bit by bit, and what is no plan is said in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcompile.errors import PlanError
from qcompile.plan import Code, Decision, Form, Plan, Reason, dumps, load, loads, sha256
from qcompile.quant import QuantParams

scales = st.floats(width=32, min_value=2.0**-63, max_value=2.0**100, allow_nan=False)


@st.composite
def params(draw: st.DrawFn) -> QuantParams:
    dtype = draw(st.sampled_from(["uint8", "int8", "int32"]))
    codes = st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    count = draw(st.none() | st.integers(1, 4))
    if count is None:
        return QuantParams(np.array(draw(scales), np.float32), np.array(draw(codes), dtype))
    pairs = draw(st.lists(st.tuples(scales, codes), min_size=count, max_size=count))
    scale, zero_point = np.array([s for s, _ in pairs], np.float32), np.array([z for _, z in pairs], dtype)
    return QuantParams(scale, zero_point, draw(st.integers(0, 3)))


names = st.text(max_size=6)
reasons = st.none() | st.builds(Reason, st.sampled_from(Code), names)
plans = st.builds(
    Plan,
    target=names,
    format=st.sampled_from(["qoperator", "qdq"]),
    bits=st.integers(2, 8),
    nodes=st.dictionaries(names, st.builds(Decision, st.sampled_from(Form), reasons), max_size=3),
    values=st.dictionaries(names, params(), max_size=3),
    migrations=st.dictionaries(names, st.lists(st.floats(2**-20, 2**20, width=32), max_size=3).map(tuple), max_size=2),
    bias_shifts=st.dictionaries(
        names, st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(tuple), max_size=2
    ),
    weights=st.dictionaries(st.tuples(names, st.integers(0, 5)), params(), max_size=3),
    segments=st.dictionaries(names, st.integers(1, 256), max_size=2),
    notes=st.dictionaries(names, names, max_size=2),
)


def small_plan() -> Plan:
    return Plan(
        target="cpu",
        nodes={"conv": Decision(Form.INTEGER), "tail": Decision(Form.FLOAT, Reason(Code.NO_RANGE, "t"))},
        values={"x": QuantParams(np.array(6 / 255, np.float32), np.array(0, np.uint8))},
        weights={("conv", 1): QuantParams(np.array([0.1, 0.2], np.float32), np.zeros(2, np.int8), 0)},
    )


@given(plans)
def test_round_trip_is_exact(plan: Plan) -> None:
    text = dumps(plan)
    assert loads(text) == plan
    assert dumps(loads(text)) == text
    assert sha256(loads(text)) == sha256(plan)


@given(plans)
def test_equal_plans_are_equal_texts(plan: Plan) -> None:
    """Whatever order the entries came in."""
    turned = replace(
        plan,
        nodes=dict(reversed(plan.nodes.items())),
        values=dict(reversed(plan.values.items())),
        weights=dict(reversed(plan.weights.items())),
        migrations=dict(reversed(plan.migrations.items())),
        bias_shifts=dict(reversed(plan.bias_shifts.items())),
        notes=dict(reversed(plan.notes.items())),
    )
    assert dumps(turned) == dumps(plan)


def test_arrays_come_back_with_their_types() -> None:
    back = loads(dumps(small_plan()))
    assert back.values["x"].scale.dtype == np.float32
    assert back.values["x"].zero_point.dtype == np.uint8
    assert back.weights["conv", 1].zero_point.dtype == np.int8


def test_what_a_plan_says() -> None:
    plan = small_plan()
    assert plan.is_integer("conv")
    assert not plan.is_integer("tail")
    assert not plan.is_integer("unknown")
    assert not plan.is_integer(None)
    assert plan.stayed_float() == [("tail", Reason(Code.NO_RANGE, "t"))]


def test_the_fingerprint_is_that_of_the_decisions() -> None:
    assert sha256(small_plan()) == sha256(small_plan())
    other = small_plan()
    other.values["x"] = QuantParams(np.nextafter(small_plan().values["x"].scale, np.float32(1)), np.array(0, np.uint8))
    assert sha256(other) != sha256(small_plan())


def changed(**entries: Any) -> str:
    return json.dumps(json.loads(dumps(small_plan())) | entries)


def with_value(**entries: Any) -> str:
    good = json.loads(dumps(small_plan()))["values"]["x"]
    return changed(values={"x": good | entries})


UNREADABLE = {
    "empty": "",
    "text": "not a plan",
    "list": "[]",
    "number": "1",
    "null": "null",
    "object": "{}",
    "deep": "[" * 100_000,
    "truncated": dumps(small_plan())[:-20],
    "version": changed(**{"qcompile.plan": 99}),
    "nodes": changed(nodes=[]),
    "form": changed(nodes={"conv": {"form": "quantum"}}),
    "reason": changed(nodes={"conv": {"form": "float", "reason": "mood"}}),
    "bits": changed(bits="many"),
    "endless bits": changed(bits=1e999),
    "weights": changed(weights=[{"node": "conv"}]),
    "values": changed(values={"x": None}),
    "scale zero": with_value(scale=0.0),
    "scale negative": with_value(scale=-1.0),
    "scale NaN": with_value(scale=float("nan")),
    "scale text": with_value(scale="wide"),
    "scale vector": with_value(scale=[1.0, 2.0]),
    "dtype": with_value(dtype="uint7"),
    "dtype float": with_value(dtype="float32"),
    "dtype object": with_value(dtype="object"),
    "zero point": with_value(zero_point=300),
    "axis": with_value(axis=-1),
    "axis text": with_value(axis="first"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"^(no readable plan|plan version 99) in .*plan\.json \(.*\)") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=40))
def test_no_bytes_end_in_another_error(content: bytes) -> None:
    with pytest.raises(PlanError):
        loads(content.decode("latin-1"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "binary"):
        with pytest.raises(PlanError, match=r"^cannot read plan .*\(.*\)$") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_load(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(dumps(small_plan()), encoding="utf-8")
    assert load(tmp_path / "plan.json") == small_plan()
