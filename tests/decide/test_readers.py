"""What stands between a value and all that reads it, and what knowing it is worth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from qcompile.calibrate import Observations
from qcompile.decide import AUTOMATIC, Drafter, Method, known_ranges, place
from qcompile.decide.readers import reader_functions
from qcompile.targets import find_target

Model = Callable[..., ir.Model]

CPU = find_target("cpu")
POINTS = np.linspace(-9, 9, 101)
READERS = {
    "elu": "y = Elu<alpha = 0.7>(x)",
    "gelu": "y = Gelu(x)",
    "hard sigmoid": "y = HardSigmoid<alpha = 0.25, beta = 0.4>(x)",
    "hard swish": "y = HardSwish(x)",
    "leaky relu": "y = LeakyRelu<alpha = 0.1>(x)",
    "mish": "a = Softplus(x) b = Tanh(a) y = Mul(x, b)",
    "one slope": "y = PRelu(x, slope)",
    "relu": "y = Relu(x)",
    "sigmoid": "y = Sigmoid(x)",
    "silu": "s = Sigmoid(x) y = Mul(s, x)",
    "square": "y = Mul(x, x)",
}
UNREAD = {
    "a weight": "y = MatMul(x, matrix)",
    "another reader": "z = LeakyRelu(x) a = MatMul(x, matrix) y = Add(z, a)",
    "a gate of something else": "s = Sigmoid(x) a = MatMul(x, matrix) y = Mul(s, a)",
    "a slope for each channel": "y = PRelu(x, each)",
}


def graph(model: Model, body: str, outputs: str = "float[4, 4] y") -> ir.Model:
    constants = {"slope": np.array([0.2], np.float32), "each": np.full(4, 0.2, np.float32)}
    return model(f"g (float[4, 4] x) => ({outputs}) {{ {body} }}", **constants)


@pytest.mark.parametrize("body", READERS.values(), ids=READERS)
def test_the_function_is_what_the_runtime_computes(body: str, model: Model) -> None:
    built = graph(model, body)
    proto = ir.to_proto(built)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.ClearField("shape")
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": POINTS.astype(np.float32)[:, None]})
    assert np.allclose(reader_functions(built)["x"](POINTS), expected[:, 0], atol=1e-3)


@pytest.mark.parametrize("body", UNREAD.values(), ids=UNREAD)
def test_what_is_read_otherwise_has_no_function(body: str, model: Model) -> None:
    assert "x" not in reader_functions(graph(model, body))


def test_the_first_result_is_the_function(model: Model) -> None:
    functions = reader_functions(graph(model, "a = LeakyRelu<alpha = 0.5>(x) b = Sigmoid(a) y = Mul(a, b)"))
    assert functions["x"](np.array([-2.0])) == [-1.0]
    assert functions["a"](np.array([-1.0])) == pytest.approx(-1 / (1 + np.e))


def test_a_value_that_leaves_the_model_has_no_function(model: Model) -> None:
    outputs = "float[4, 4] a, float[4, 4] y"
    functions = reader_functions(graph(model, "a = MatMul(x, matrix) y = LeakyRelu(a)", outputs))
    assert "a" not in functions


def test_a_reading_of_its_own_cuts_the_saturated_tail(model: Model) -> None:
    built = model("""g (float[1, 4, 8, 8] x) => (float[1, 4, 8, 8] y) {
        [conv1] a = Conv(x, kernel)
        [gate] s = Sigmoid(a)
        [gated] b = Mul(a, s)
        [conv2] y = Conv(b, kernel)
    }""")
    placement, known = place(built, CPU), known_ranges(built, place(built, CPU))
    seen = AUTOMATIC().observe(30 * np.random.default_rng(0).standard_normal(50_000).astype(np.float32))
    names = [name for name in placement.observed if name not in known]
    drafter = Drafter(built, known, Observations(dict.fromkeys(names, seen), {}), placement.groups, CPU, "qoperator")
    assert drafter.readings == ["min-max", "mse", "reader-mse"]
    plain, by_reader = (drafter.draft(placement, Method(name)).values for name in drafter.readings[1:])
    assert plain["a"].real_range[0] < -60 < -9 < by_reader["a"].real_range[0]
    assert by_reader["x"] == plain["x"] and by_reader["b"] == plain["b"]
