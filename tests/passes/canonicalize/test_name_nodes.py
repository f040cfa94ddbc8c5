"""name-nodes: a name means one thing in the whole model."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from qcompile.ir import graphs, nodes
from qcompile.passes.canonicalize.name_nodes import NameNodes
from qcompile.pipeline import Context, PassResult

CheckRewrite = Callable[..., PassResult]
HEADER = '<ir_version: 10, opset_import: ["": 21]> '


def test_nameless_nodes_are_numbered_by_operator(check_rewrite: CheckRewrite) -> None:
    check_rewrite(
        NameNodes(),
        HEADER + "g (float[2] x) => (float[2] y) { a = Relu(x) [Relu_0] b = Relu(a) c = Relu(b) y = Neg(c) }",
        HEADER
        + "g (float[2] x) => (float[2] y) "
        + "{ [Relu_1] a = Relu(x) [Relu_0] b = Relu(a) [Relu_2] c = Relu(b) [Neg_0] y = Neg(c) }",
    )


def test_unique_names_stay_whatever_is_in_them(check_rewrite: CheckRewrite) -> None:
    before = HEADER + 'g (float[2] x) => (float[2] y) { ["a/b: c"] "t:0" = Relu(x) ["::1"] y = Neg("t:0") }'
    check_rewrite(NameNodes(), before, None)


def test_the_later_of_two_gives_way() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[2] x) => (float[2] y) { [n] a = Relu(x) [n_1] b = Neg(a) [n] y = Abs(b) }"
    )
    assert NameNodes().run(model, Context()).changes == 1
    assert [node.name for node in model.graph] == ["n", "n_1", "n_2"]


BRANCHES = """
g (float[2] x, bool c) => (float[2] z) {
  [top] t = Relu(x)
  [choose] z = If(c) <
    then_branch = yes () => (float[2] y) { [inner] u = Neg(t) [top] y = Abs(u) },
    else_branch = no () => (float[2] y) <float[2] w = {1, 2}> { [inner] u = Add(t, w) y = Neg(u) }
  >
}"""


def test_branches_share_no_names() -> None:
    model = ir.from_onnx_text(HEADER + BRANCHES)
    assert NameNodes().run(model, Context()).changes == 5
    assert [node.name for node in nodes(model)] == ["top", "choose", "inner", "top_1", "inner_1", "Neg_0"]
    made = [value.name for graph in graphs(model) for node in graph for value in node.outputs]
    assert made == ["t", "z", "u", "y", "u_1", "y_1"]
    assert not NameNodes().run(model, Context()).changes


def test_the_interface_wins_over_a_body() -> None:
    model = ir.from_onnx_text(HEADER + BRANCHES.replace("u", "z"))
    NameNodes().run(model, Context())
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["x", "c", "z"]
    assert "z" not in {value.name for graph in list(graphs(model))[1:] for node in graph for value in node.outputs}


def test_an_optional_output_that_is_left_out_stays_out() -> None:
    model = ir.from_onnx_text(
        HEADER + "g (float[3,1,2] x, float[1,16,2] w, float[1,16,4] r) => (float[1,1,4] h)"
        ' { [rnn] "", h = LSTM <hidden_size = 4> (x, w, r) }'
    )
    assert not NameNodes().run(model, Context()).changes
    assert [value.name for value in model.graph[0].outputs] == ["", "h"]
