"""Where integers go, on small graphs; node names say what the graph is about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from qcompile.decide import Placement, place
from qcompile.errors import RecipeError
from qcompile.targets import find_target

Model = Callable[..., ir.Model]
Decided = Callable[[Placement], dict[str, str]]

CPU = find_target("cpu")
IMAGE = "float[1, 4, 8, 8]"

CHAIN = f"""g ({IMAGE} x) => ({IMAGE} y) {{
    [conv1] a = Conv(x, kernel)
    [relu1] b = Relu(a)
    [conv2] y = Conv(b, kernel)
}}"""


def test_chain(model: Model, decided: Decided) -> None:
    placement = place(model(CHAIN), CPU)
    assert decided(placement) == {"conv1": "integer", "relu1": "integer", "conv2": "integer"}
    assert [(unit.node.name, [c.name for c in unit.clamps]) for unit in placement.units] == [
        ("conv1", ["relu1"]),
        ("conv2", []),
    ]
    assert placement.groups == {"x": "x", "b": "b", "y": "y"}
    assert placement.observed == ["x", "b", "y"]


def test_decisions_are_in_graph_order(model: Model) -> None:
    assert list(place(model(CHAIN), CPU, ["conv2"]).nodes) == ["conv1", "relu1", "conv2"]


def test_two_clamps_are_absorbed(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) <float six = {{6.0}}> {{
        [conv1] a = Conv(x, kernel)
        [relu1] b = Relu(a)
        [clip1] c = Clip(b, , six)
        [conv2] y = Conv(c, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert set(decided(placement).values()) == {"integer"}
    assert "b" not in placement.groups
    assert "c" in placement.groups


def test_a_clip_away_from_zero_is_not_absorbed(model: Model) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) <float low = {{1.0}}, float high = {{6.0}}> {{
        [conv1] a = Conv(x, kernel)
        [clip1] b = Clip(a, low, high)
        [conv2] y = Conv(b, kernel)
    }}"""
    assert [unit.node.name for unit in place(model(text), CPU).units] == ["conv1", "clip1", "conv2"]


def test_residual(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [relu1] b = Relu(a)
        [conv2] c = Conv(b, kernel)
        [add] d = Add(c, b)
        [relu2] e = Relu(d)
        [conv3] y = Conv(e, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert set(decided(placement).values()) == {"integer"}
    assert placement.observed == ["x", "b", "c", "e", "y"]


def test_a_tail_behind_the_last_weight_stays_float(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => (float[1, 4] y) {{
        [conv] a = Conv(x, kernel)
        [pool] b = GlobalAveragePool(a)
        [flat] c = Flatten(b)
        [softmax] y = Softmax(c)
    }}"""
    assert decided(place(model(text), CPU)) == {
        "conv": "integer",
        "pool": "not-between-integers",
        "flat": "not-between-integers",
        "softmax": "no-integer-kernel",
    }


def test_squeeze_and_excite(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [pool] b = GlobalAveragePool(a)
        [down] c = Conv(b, kernel)
        [relu] d = Relu(c)
        [up] e = Conv(d, kernel)
        [gate] f = Sigmoid(e)
        [scale] g1 = Mul(a, f)
        [conv2] y = Conv(g1, kernel)
    }}"""
    assert set(decided(place(model(text), CPU)).values()) == {"integer"}


def test_what_is_only_moved_takes_the_range_of_its_source(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => (float[4, 4] y) <int64[2] shape = {{4, -1}}> {{
        [conv] a = Conv(x, kernel)
        [pool] b = MaxPool <kernel_shape = [8, 8]> (a)
        [turn] c = Transpose <perm = [1, 0, 2, 3]> (b)
        [flat] d = Reshape(c, shape)
        [back] e = Transpose <perm = [1, 0]> (d)
        [matmul1] f = MatMul(e, matrix)
        [matmul2] y = MatMul(f, matrix)
    }}"""
    placement = place(model(text), CPU)
    assert decided(placement) == {
        **dict.fromkeys(["conv", "pool", "turn", "flat", "back", "matmul1"], "integer"),
        "matmul2": "integer-to-float",
    }
    assert {name for name, group in placement.groups.items() if group == "a"} == {"a", "b", "c", "d", "e"}
    assert placement.observed == ["x", "a", "f"]


def test_a_move_of_an_input_runs_on_integers(model: Model, decided: Decided) -> None:
    text = f"""g (float[1, 8, 8, 4] x) => ({IMAGE} y) {{
        [turn] a = Transpose <perm = [0, 3, 1, 2]> (x)
        [conv] y = Conv(a, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert decided(placement) == {"turn": "integer", "conv": "integer"}
    assert placement.groups["a"] == "x"


def test_a_move_of_floats_with_a_float_reader_stays_float(model: Model, decided: Decided) -> None:
    text = f"""g (float[1, 8, 8, 4] x) => ({IMAGE} y, {IMAGE} z) {{
        [turn] a = Transpose <perm = [0, 3, 1, 2]> (x)
        [conv] y = Conv(a, kernel)
        [erf] z = Erf(a)
    }}"""
    assert decided(place(model(text), CPU))["turn"] == "not-between-integers"


def test_a_branch_to_a_float_reader(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y, {IMAGE} z) {{
        [conv1] a = Conv(x, kernel)
        [relu] b = Relu(a)
        [erf] z = Erf(b)
        [conv2] y = Conv(b, kernel)
    }}"""
    assert decided(place(model(text), CPU)) == {
        "conv1": "integer",
        "relu": "integer",
        "erf": "no-integer-kernel",
        "conv2": "integer",
    }


def test_an_output_in_the_middle_keeps_its_clamp_apart(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} a, {IMAGE} y) {{
        [conv1] a = Conv(x, kernel)
        [relu] b = Relu(a)
        [conv2] y = Conv(b, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert set(decided(placement).values()) == {"integer"}
    assert [unit.clamps for unit in placement.units] == [[], [], []]
    assert placement.groups["b"] == "a"


def test_a_product_that_leaves_gives_floats(model: Model, decided: Decided) -> None:
    text = """g (float[1, 4] x) => (float[1, 4] y) {
        [gemm] a = Gemm(x, matrix)
        [relu] y = Relu(a)
    }"""
    placement = place(model(text), CPU)
    assert decided(placement) == {"gemm": "integer-to-float", "relu": "not-between-integers"}
    assert placement.observed == ["x"]


@pytest.mark.parametrize("pattern", ["conv1", "^conv1$", "onv1"])
def test_excluded_by_name(pattern: str, model: Model, decided: Decided) -> None:
    assert decided(place(model(CHAIN), CPU, [pattern])) == {
        "conv1": "excluded",
        "relu1": "not-between-integers",
        "conv2": "integer",
    }


def test_excluded_by_op_type(model: Model, decided: Decided) -> None:
    placement = place(model(CHAIN), CPU, ["Conv", "Relu"])
    assert set(decided(placement).values()) == {"excluded"}
    assert placement.units == []
    assert placement.observed == []
    assert placement.nodes["conv1"].reason is not None
    assert placement.nodes["conv1"].reason.detail == "Conv"


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (["conv9"], r"^--exclude 'conv9' matches no node name and no op type"),
        (["conv1", "Con"], None),
        (["conv1", "Conv2d"], r"^--exclude 'Conv2d' matches no"),
        (["(conv"], r"^no regular expression in --exclude '\(conv' \("),
    ],
)
def test_expressions(patterns: list[str], said: str | None, model: Model) -> None:
    if said is None:
        with pytest.raises(RecipeError):  # `Con` is no op type and in no name: cases count
            place(model(CHAIN), CPU, patterns)
        return
    with pytest.raises(RecipeError, match=said):
        place(model(CHAIN), CPU, patterns)


BRANCHES = f"""g (bool c, {IMAGE} x) => ({IMAGE} y) {{
    [conv1] a = Conv(x, kernel)
    [if] b = If (c) <
      then_branch = yes () => ({IMAGE} t) {{ [inner] t = Conv(a, kernel) }},
      else_branch = no () => ({IMAGE} e) {{ [other] e = Relu(a) }}
    >
    [conv2] y = Conv(b, kernel)
}}"""


def test_bodies_are_graphs_like_any_other(model: Model, decided: Decided) -> None:
    assert decided(place(model(BRANCHES), CPU)) == {
        "conv1": "integer",
        "if": "no-integer-kernel",
        "inner": "integer",
        "other": "not-between-integers",
        "conv2": "integer",
    }


def test_excluding_a_node_of_a_body_is_no_error(model: Model, decided: Decided) -> None:
    assert decided(place(model(BRANCHES), CPU, ["inner"]))["inner"] == "excluded"


def test_a_computed_factor(model: Model, decided: Decided) -> None:
    text = """g (float[4, 4] x) => (float[4, 4] y) {
        [matmul1] a = MatMul(x, matrix)
        [attention] b = MatMul(a, a)
        [matmul2] y = MatMul(b, matrix)
    }"""
    assert decided(place(model(text), CPU)) == {
        "matmul1": "integer-to-float",
        "attention": "weight-not-constant",
        "matmul2": "integer-to-float",
    }


def test_two_constant_factors_stay_float(model: Model, decided: Decided) -> None:
    text = """g (float[4, 4] x) => (float[4, 4] y) {
        [constants] a = MatMul(matrix, matrix)
        [matmul] b = MatMul(x, matrix)
        [add] c = Add(a, b)
        [last] y = MatMul(c, matrix)
    }"""
    assert decided(place(model(text), CPU))["constants"] == "unsupported-form"


@pytest.mark.parametrize("which", ["kernel", "bias", "mask"])
def test_infinite_constants_stay_float(which: str, model: Model, decided: Decided) -> None:
    arrays = {
        "kernel": np.ones((4, 4, 1, 1), np.float32),
        "bias": np.ones(4, np.float32),
        "mask": np.ones((4, 1, 1), np.float32),
    }
    arrays[which].flat[1] = -np.inf
    text = f"""g ({IMAGE} x) => ({IMAGE} y) {{
        [conv] a = Conv(x, kernel, bias)
        [add] b = Add(a, mask)
        [last] y = Conv(b, other)
    }}"""
    placement = place(model(text, other=np.ones((4, 4, 1, 1), np.float32), **arrays), CPU)
    name = "add" if which == "mask" else "conv"
    assert decided(placement)[name] == "unsupported-form"
    reason = placement.nodes[name].reason
    assert reason is not None
    assert "not finite" in reason.detail


def test_sums_that_may_overflow_stay_float(model: Model, decided: Decided) -> None:
    text = "g (float[1, 66312] x) => (float[1, 1] y) { [matmul] y = MatMul(x, long) }"
    long = np.ones((66312, 1), np.float32)
    assert decided(place(model(text, long=long), CPU)) == {"matmul": "unsupported-form"}
    shorter = text.replace("66312", "66311")
    assert decided(place(model(shorter, long=long[1:]), CPU)) == {"matmul": "integer-to-float"}


def test_a_table_that_is_looked_up_stays_float(model: Model, decided: Decided) -> None:
    text = """g (int64[3] ids) => (float[3, 4] y) {
        [lookup] a = Gather(matrix, ids)
        [matmul] y = MatMul(a, other)
    }"""
    placement = place(model(text, other=np.ones((4, 4), np.float32)), CPU)
    assert decided(placement) == {"lookup": "not-between-integers", "matmul": "integer-to-float"}
    assert placement.observed == ["a"]


def test_a_constant_operand(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y) <float[1] half = {{0.5}}> {{
        [conv1] a = Conv(x, kernel)
        [add] b = Add(a, half)
        [conv2] y = Conv(b, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert set(decided(placement).values()) == {"integer"}
    assert "half" not in placement.groups


def test_integers_are_not_decided_on(model: Model, decided: Decided) -> None:
    text = """g (int64[4] x) => (int64[4] y, float[4] z) {
        [add] y = Add(x, x)
        [cast] z = Cast <to = 1> (x)
    }"""
    assert decided(place(model(text), CPU)) == {"cast": "no-integer-kernel"}


def test_another_float_type(model: Model, decided: Decided) -> None:
    text = "g (double[1, 4] x) => (double[1, 4] y) { [matmul] y = MatMul(x, wide) }"
    assert decided(place(model(text, wide=np.ones((4, 4))), CPU)) == {"matmul": "not-float"}


def test_an_op_of_another_domain_shares_no_more_than_a_name(model: Model, decided: Decided) -> None:
    text = f"g ({IMAGE} x) => ({IMAGE} y) {{ [conv] y = org.example.Conv(x, kernel) }}"
    placement = place(model(text), CPU)
    assert decided(placement) == {"conv": "no-integer-kernel"}
    assert placement.nodes["conv"].reason is not None
    assert placement.nodes["conv"].reason.detail == "org.example.Conv"


def test_a_pool_whose_indices_are_read_stays_float(model: Model, decided: Decided) -> None:
    text = f"""g ({IMAGE} x) => ({IMAGE} y, int64[1, 4, 8, 8] places) {{
        [conv1] a = Conv(x, kernel)
        [pool] b, places = MaxPool <kernel_shape = [1, 1]> (a)
        [conv2] y = Conv(b, kernel)
    }}"""
    placement = place(model(text), CPU)
    assert decided(placement)["pool"] == "unsupported-form"
    assert "places" not in placement.groups


def test_unknown_ranks_and_types_end_in_reasons(decided: Decided) -> None:
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[1, 4] x, float[4, 4, 1] w) => (y) {' + (
        "[strange] a = StringNormalizer(x) [conv] b = Conv(a, w) [sum] y = Add(b, b) }"
    )
    assert set(decided(place(ir.from_onnx_text(text), CPU)).values()) <= {
        "no-integer-kernel",
        "weight-not-constant",
        "not-between-integers",
    }


def lstm(model: Model, nodes: str, interface: str) -> ir.Model:
    """A graph around an LSTM of hidden size 128 that reads 4 numbers and makes `s`."""
    arrays = {name: np.ones((1, 512, size), np.float32) for name, size in (("weight_x", 4), ("weight_h", 128))}
    arrays["head"] = np.ones((128, 4), np.float32)
    unit = "s = LSTM <hidden_size = 128> (t, weight_x, weight_h)"
    return model(f"g {interface} {{ {nodes.format(lstm=f'[lstm] {unit}')} }}", **arrays)


def test_an_lstm_quantizes_inside_and_is_float_to_its_neighbours(model: Model, decided: Decided) -> None:
    nodes = (
        "[conv] a = Conv(x, kernel) [gate] b = Sigmoid(a) [rows] c = Reshape(b, rows) [before] t = MatMul(c, matrix) "
    )
    text = nodes + "{lstm} [flat] y = Flatten(s)"
    made = lstm(model, text, f"({IMAGE} x) => (float[8, 1024] y) <int64[3] rows = {{8, 8, 4}}>")
    placement = place(made, CPU)
    assert decided(placement) == {
        "conv": "integer",
        "gate": "integer",
        "rows": "integer",
        "before": "integer-to-float",
        "lstm": "dynamic",
        "flat": "not-between-integers",
    }
    assert not {"t", "s"} & set(placement.groups)


def test_what_an_lstm_makes_is_quantized_for_who_reads_integers(model: Model, decided: Decided) -> None:
    interface = "(float[8, 1, 4] t) => (float[8, 4] y) <int64[2] flat = {8, 128}>"
    made = lstm(model, "{lstm} [q] q = Reshape(s, flat) [after] y = MatMul(q, head)", interface)
    placement = place(made, CPU)
    assert decided(placement) == {"lstm": "dynamic", "q": "integer", "after": "integer-to-float"}
    assert placement.observed == ["s"]


def test_an_lstm_stays_float_where_the_format_has_none(model: Model, decided: Decided) -> None:
    made = lstm(model, "{lstm}", "(float[8, 1, 4] t) => (float[8, 1, 1, 128] s)")
    assert decided(place(made, CPU)) == {"lstm": "dynamic"}
    assert decided(place(made, CPU, format_="qdq")) == {"lstm": "no-integer-kernel"}
    assert decided(place(made, CPU, ["LSTM"])) == {"lstm": "excluded"}
