"""Small graphs in the dialect of each exporter, through the whole of canonicalisation: what is left of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from qcompile.ir import graphs, nodes
from qcompile.pipeline import Context, Pipeline, VerifyEach
from qcompile.runtime import run_as_written

RNG = np.random.default_rng(1)


def weights(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: RNG.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def canonical(text: str, arrays: Mapping[str, np.ndarray], opset: int = 17, ir_version: int = 8) -> ir.Model:
    """The model after canonicalisation, each pass of which was held to its promise on a feed (N is 2)."""
    header = f'<ir_version: {ir_version}, opset_import: ["": {opset}]> '
    tensors = [ir.tensor(array, name=name) for name, array in arrays.items()]
    model = ir.from_onnx_text(header + text, initializers=tensors)
    feed = {v.name: _sample(v) for v in model.graph.inputs if v.name and not v.is_initializer()}
    context = Context(feed=feed, run=run_as_written)
    return Pipeline.default().stage("canonicalize").run(model, context, [VerifyEach(model, context)])[0]


def _sample(value: ir.Value) -> np.ndarray:
    assert value.shape is not None and value.dtype is not None
    shape = [dim if isinstance(dim, int) and dim > 0 else 2 for dim in value.shape]
    return np.asarray(np.abs(RNG.normal(size=shape)), value.dtype.numpy())


def operators(model: ir.Model) -> dict[str, int]:
    return dict(Counter(node.op_type for node in nodes(model)))


def constants(**given: list[int] | list[float] | int | float) -> str:
    """Constant nodes, as exporters write numbers; names with a 0 in front would not parse."""
    made = []
    for name, number in given.items():
        numbers = number if isinstance(number, list) else [number]
        kind = "float" if any(isinstance(n, float) for n in numbers) else "int64"
        shape = f"[{len(numbers)}]" if isinstance(number, list) else ""
        made.append(f"{name} = Constant <value = {kind}{shape} {{{', '.join(map(str, numbers))}}}> ()")
    return " ".join(made)


def test_torchscript_flattens_by_computed_shapes() -> None:
    """opset 9, weights as inputs too, BatchNormalization, a flatten from Shape, Gather, Unsqueeze, Concat."""
    model = canonical(
        f"""g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] s, float[4] b, float[4] m, float[4] v, float[5,64] fw,
               float[5] fb) => (float[N,5] y) {{
          c = Conv <dilations = [1,1], group = 1, kernel_shape = [3,3], pads = [1,1,1,1], strides = [2,2]> (x, w)
          n = BatchNormalization <epsilon = 0.00001, momentum = 0.9> (c, s, b, m, v)
          r = Relu(n)
          d = Dropout <ratio = 0.5> (r)
          shape = Shape(d) {constants(zero=0)}
          first = Gather <axis = 0> (shape, zero) row = Unsqueeze <axes = [0]> (first)
          {constants(rest=[-1])}
          target = Concat <axis = 0> (row, rest)
          flat = Reshape(d, target)
          y = Gemm <alpha = 1.0, beta = 1.0, transB = 1> (flat, fw, fb)
        }}""",
        weights(w=(4, 3, 3, 3), s=(4,), b=(4,), m=(4,), fw=(5, 64), fb=(5,)) | {"v": np.ones(4, "float32")},
        opset=9,
    )
    left = operators(model)
    assert {left.pop(op) for op in ("Conv", "Relu", "Reshape", "Gemm")} == {1}
    assert not left.keys() & {"BatchNormalization", "Dropout", "Constant"}


def test_torchscript_shuffles_channels_and_resizes_to_computed_sizes() -> None:
    model = canonical(
        f"""g (float[1,4,6,6] x) => (float[1,4,12,12] y) {{
          {constants(five=[1, 2, 2, 6, 6], four=[1, 4, 6, 6])}
          a = Reshape(x, five) b = Transpose <perm = [0,2,1,3,4]> (a) c = Reshape(b, four)
          s = Shape(c) {constants(two=2, three=3, axis=[0], begin=[0], stop=[2], scale=2.0)}
          h = Gather <axis = 0> (s, two) w = Gather <axis = 0> (s, three)
          hf = Cast <to = 1> (h) wf = Cast <to = 1> (w) h2 = Mul(hf, scale) w2 = Mul(wf, scale)
          hi = Cast <to = 7> (h2) wi = Cast <to = 7> (w2)
          hu = Unsqueeze <axes = [0]> (hi) wu = Unsqueeze <axes = [0]> (wi)
          front = Slice(s, begin, stop, axis) sizes = Concat <axis = 0> (front, hu, wu)
          empty = Constant <value = float[0] {{}}> ()
          y = Resize <mode = "nearest", nearest_mode = "floor", coordinate_transformation_mode = "asymmetric">
              (c, empty, empty, sizes)
        }}""",
        {},
        opset=11,
    )
    assert operators(model) == {"Reshape": 2, "Transpose": 1, "Resize": 1}


def test_torch_dynamo_leaves_little_to_do() -> None:
    """opset 20: MatMul and Add of rank 3 with folded weights, SiLU in two, a mean instead of a pooling."""
    model = canonical(
        f"""g (float[N,3,8,8] x) => (float[N,5] linear) {{
          conv = Conv <auto_pad = "NOTSET", dilations = [1,1], group = 1, pads = [1,1,1,1], strides = [2,2]> (x, w, b)
          val_1 = Sigmoid(conv) silu = Mul(conv, val_1)
          {constants(val_2=[2, 3])}
          mean = ReduceMean <keepdims = 0, noop_with_empty_axes = 0> (silu, val_2)
          linear = Gemm <alpha = 1.0, beta = 1.0, transA = 0, transB = 1> (mean, fw, fb)
        }}""",
        weights(w=(4, 3, 3, 3), b=(4,), fw=(5, 4), fb=(5,)),
        opset=20,
    )
    left = operators(model)
    assert left["Conv"] == left["Gemm"] == 1
    assert "Constant" not in left


def test_tf2onnx_turns_the_layout_around_each_op() -> None:
    """NHWC in and out, a Transpose pair between two convolutions, biases as Adds of rank 4, padding as a Pad."""
    model = canonical(
        f"""g (float[unk__1,9,9,3] input) => (float[unk__1,A,B,6] Identity) {{
          t = Transpose <perm = [0,3,1,2]> (input)
          {constants(border=[0, 0, 1, 1, 0, 0, 1, 1])}
          p = Pad(t, border)
          c = Conv <auto_pad = "VALID", dilations = [1,1], kernel_shape = [3,3], strides = [2,2]> (p, w)
          a = Add(c, b) m = Relu(a)
          out = Transpose <perm = [0,2,3,1]> (m) back = Transpose <perm = [0,3,1,2]> (out)
          d = Conv <auto_pad = "SAME_UPPER", group = 4, kernel_shape = [3,3], strides = [1,1]> (back, dw)
          six = Clip(d, low, high)
          e = Conv <kernel_shape = [1,1]> (six, pw, pb)
          r = Transpose <perm = [0,2,3,1]> (e)
          Identity = Identity(r)
        }}""",
        weights(w=(4, 3, 3, 3), b=(1, 4, 1, 1), dw=(4, 1, 3, 3), pw=(6, 4, 1, 1), pb=(6,))
        | {"low": np.array(0, "float32"), "high": np.array(6, "float32")},
        opset=13,
    )
    assert operators(model) == {"Transpose": 2, "Conv": 3, "Relu": 1, "Clip": 1}


def test_keras2onnx_writes_dense_layers_as_matmul_and_add() -> None:
    """A Pad between a normalized, activated image and its MaxPool; BatchNormalization behind the activation."""
    model = canonical(
        """g (float[N,8,8,4] image) => (float[N,5] probability) {
          t = Transpose <perm = [0,3,1,2]> (image)
          r = Relu(t)
          p = Pad <mode = "constant", pads = [0,0,1,1,0,0,1,1], value = 0.0> (r)
          q = MaxPool <auto_pad = "VALID", kernel_shape = [3,3], strides = [2,2]> (p)
          n = BatchNormalization <epsilon = 0.001, momentum = 0.99, spatial = 1> (q, s, b, m, v)
          c = Conv <auto_pad = "VALID", kernel_shape = [1,1], strides = [1,1]> (n, w)
          g = GlobalAveragePool(c) f = Squeeze <axes = [2,3]> (g)
          h = MatMul(f, fw) z = Add(h, fb)
          probability = Softmax <axis = -1> (z)
        }""",
        weights(s=(4,), b=(4,), m=(4,), w=(6, 4, 1, 1), fw=(6, 5), fb=(5,)) | {"v": np.ones(4, "float32")},
        opset=7,
    )
    assert operators(model) == {
        "Transpose": 1, "Relu": 1, "MaxPool": 1, "Conv": 1, "GlobalAveragePool": 1, "Squeeze": 1, "Gemm": 1,
        "Softmax": 1,
    }  # fmt: skip


def test_paddle_writes_weights_as_constants() -> None:
    """BatchNormalization not folded, hard-swish in four ops, dimensions of -1."""
    model = canonical(
        f"""g (float[-1,2,4,4] x) => (float[-1,2,4,4] save_infer) {{
          conv_w = Constant <value = float[2,2,1,1] {{0.5, -1.0, 2.0, 0.25}}> ()
          scale = Constant <value = float[2] {{1.5, 0.5}}> () bias = Constant <value = float[2] {{0.1, -0.2}}> ()
          mean = Constant <value = float[2] {{0.3, 0.2}}> () variance = Constant <value = float[2] {{1.0, 2.0}}> ()
          c = Conv <dilations = [1,1], group = 1, kernel_shape = [1,1], pads = [0,0,0,0], strides = [1,1]> (x, conv_w)
          n = BatchNormalization <epsilon = 0.00001, momentum = 0.9> (c, scale, bias, mean, variance)
          {constants(three=[3.0], zero=0.0, six=6.0, sixth=[6.0])}
          a = Add(n, three) b = Clip(a, zero, six) d = Mul(n, b) save_infer = Div(d, sixth)
        }}""",
        {},
        opset=11,
    )
    left = operators(model)
    assert left == {"Conv": 1, "HardSwish": 1}
    assert [dim for value in (*model.graph.inputs, *model.graph.outputs) for dim in value.shape or ()][::4] == [-1, -1]


def test_paddle_puts_the_weights_of_an_lstm_together_in_the_graph() -> None:
    """Gates in another order by Slice and Concat, a direction by Unsqueeze, states from Shape, Slice and Tile."""

    def gates(name: str) -> str:
        parts = " ".join(f"{name}{n} = Slice(t_{name}, at{n}, at{n + 1}, zero)" for n in range(4))
        order = f"{name}o = Concat <axis = 0> ({name}0, {name}3, {name}1, {name}2)"
        return (
            f"t_{name} = Transpose <perm = [1,0]> ({name}) {parts} {order} {name}u = Unsqueeze <axes = [0]> ({name}o)"
        )

    model = canonical(
        f"""g (float[5,N,4] x) => (float[5,N,3] y) {{
          {constants(at0=[0], at1=[3], at2=[6], at3=[9], at4=[12], zero=[0], one=[1], two=[2])}
          {gates("w")} {gates("r")} bu = Unsqueeze <axes = [0]> (b)
          s = Shape(x) n = Slice(s, one, two, zero) times = Concat <axis = 0> (one, n, one)
          start = Constant <value = float[1,1,3] {{0, 0, 0}}> () h = Tile(start, times) c = Tile(start, times)
          all, last_h, last_c = LSTM <hidden_size = 3> (x, wu, ru, bu, , h, c)
          y = Squeeze <axes = [1]> (all)
        }}""",
        weights(w=(4, 12), r=(3, 12), b=(24,)),
        opset=11,
    )
    assert operators(model) == {"Shape": 1, "Slice": 1, "Concat": 1, "Tile": 1, "LSTM": 1, "Squeeze": 1}


def test_cntk_lists_weights_as_inputs() -> None:
    """opset 7, IR 3: biases of shape (C, 1, 1) and (1, N) as Adds, the last weight is a Reshape of one of rank 4."""
    model = canonical(
        """g (float[1,1,8,8] Input3, float[2,1,5,5] P5, float[2,1,1] P6, float[2,4,4,3] P193, int64[2] P193_shape,
              int64[2] flat_shape, float[1,3] P194) => (float[1,3] Plus214) {
          c = Conv <auto_pad = "SAME_UPPER", dilations = [1,1], group = 1, kernel_shape = [5,5], strides = [1,1]>
              (Input3, P5)
          p = Add(c, P6) r = Relu(p)
          q = MaxPool <auto_pad = "NOTSET", kernel_shape = [2,2], pads = [0,0,0,0], strides = [2,2]> (r)
          flat = Reshape(q, flat_shape) w = Reshape(P193, P193_shape)
          t = MatMul(flat, w) Plus214 = Add(t, P194)
        }""",
        weights(P5=(2, 1, 5, 5), P6=(2, 1, 1), P193=(2, 4, 4, 3), P194=(1, 3))
        | {"P193_shape": np.array([32, 3]), "flat_shape": np.array([1, 32])},
        opset=7,
        ir_version=3,
    )
    assert operators(model) == {"Conv": 1, "Relu": 1, "MaxPool": 1, "Reshape": 1, "Gemm": 1}
    assert [value.name for value in model.graph.inputs] == ["Input3"]


def test_mxnet_normalizes_its_input_and_flattens() -> None:
    """A first BatchNormalization with gamma fixed to 1, before a padded convolution; a Flatten before the Gemm."""
    model = canonical(
        """g (float[1,3,8,8] data) => (float[1,5] fc1) {
          bn_data = BatchNormalization <epsilon = 0.00002, momentum = 0.9> (data, ones, b0, m0, v0)
          conv0 = Conv <dilations = [1,1], group = 1, kernel_shape = [3,3], pads = [1,1,1,1], strides = [2,2]>
                  (bn_data, w0)
          bn0 = BatchNormalization <epsilon = 0.00002, momentum = 0.9> (conv0, s1, b1, m1, v1)
          relu0 = Relu(bn0)
          bn1 = BatchNormalization <epsilon = 0.00002, momentum = 0.9> (relu0, s1, b1, m1, v1)
          conv1 = Conv <dilations = [1,1], group = 1, kernel_shape = [1,1], pads = [0,0,0,0], strides = [1,1]>
                  (bn1, w1)
          pool1 = GlobalAveragePool(conv1)
          flatten0 = Flatten(pool1)
          fc1 = Gemm <alpha = 1.0, beta = 1.0, transA = 0, transB = 1> (flatten0, fw, fb)
        }""",
        weights(b0=(3,), m0=(3,), w0=(4, 3, 3, 3), s1=(4,), b1=(4,), m1=(4,), w1=(6, 4, 1, 1), fw=(5, 6), fb=(5,))
        | {"ones": np.ones(3, "float32"), "v0": np.ones(3, "float32"), "v1": np.ones(4, "float32")},
        opset=8,
    )
    assert operators(model) == {
        "Mul": 1, "Add": 1, "Conv": 2, "Relu": 1, "GlobalAveragePool": 1, "Flatten": 1, "Gemm": 1
    }  # fmt: skip


def test_ncnn_slices_where_others_split() -> None:
    """As a simplifier leaves it: static shapes, no names in order, halves by Slice, nested Concats."""
    model = canonical(
        f"""g (float[1,4,6,6] in0) => (float[1,6,6,6] out0) {{
          {constants(zero=[0], two=[2], end=[9223372036854775807], one=[1], step=[1])}
          a = Slice(in0, zero, two, one, step) b = Slice(in0, two, end, one, step)
          c = Conv <kernel_shape = [3,3], pads = [1,1,1,1]> (b, w, bias) r = LeakyRelu <alpha = 0.1> (c)
          d = Concat <axis = -3> (a, r) out0 = Concat <axis = 1> (d, b)
        }}""",
        weights(w=(2, 2, 3, 3), bias=(2,)),
        opset=13,
    )
    assert operators(model) == {"Split": 1, "Conv": 1, "LeakyRelu": 1, "Concat": 1}


def test_spox_keeps_the_network_in_a_branch() -> None:
    """Weights are Constants inside the bodies, the choice is made by an input, a body reads the outer input."""
    body = """h = Constant <value = float[2,1,2] {{0.5, -0.5, {0}, 1.0}}> () u = Unsqueeze(x, one)
              c = Conv <kernel_shape = [2], strides = [2]> (u, h) i = Identity(c) r = Relu(i)
              {1} = ReduceMean <axes = [2], keepdims = 0> (r)"""
    model = canonical(
        f"""g (float[1,8] x, int64 sr) => (float[1,2] y) {{
          {constants(rate=16000, one=[1])}
          wide = Equal(sr, rate)
          y = If (wide) <then_branch = a () => (float[1,2] ya) {{ {body.format("2.0", "ya")} }},
                         else_branch = b () => (float[1,2] yb) {{ {body.format("3.0", "yb")} }}>
        }}""",
        {},
        opset=16,
    )
    assert operators(model) == {"Equal": 1, "If": 1, "Unsqueeze": 2, "Conv": 2, "Relu": 2, "ReduceMean": 2}
    assert sum(len(graph.initializers) > 0 for graph in graphs(model)) == 3


def test_a_model_converted_to_float16_keeps_some_ops_in_float32() -> None:
    """As converters write it: float16 weights and interface, and a block list between Casts."""
    arrays = {name: array.astype("float16") for name, array in weights(w=(8, 6), b=(6,), v=(6, 4)).items()}
    model = canonical(
        """g (float16[N,8] x) => (float16[N,4] y) {
          h = MatMul(x, w) a = Add(h, b) wide = Cast <to = 1> (a) e = Softmax <axis = -1> (wide)
          narrow = Cast <to = 10> (e) y = MatMul(narrow, v)
        }""",
        arrays,
    )
    assert operators(model) == {"Cast": 2, "Gemm": 1, "Softmax": 1, "MatMul": 1}
    assert {value.dtype for value in model.graph.initializers.values()} == {ir.DataType.FLOAT}
