"""What onnxruntime says, without where in its sources it says so."""

from __future__ import annotations

import pytest

from qcompile.runtime import one_line

FILE = "/src/onnxruntime/core/any.cc:53"


@pytest.mark.parametrize(
    "function",
    [
        "Load",
        "onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&)",
        "void onnxruntime::Validate(const std::unordered_map<std::__cxx11::basic_string<char>, int>&, bool)",
        "onnxruntime::Base::Base(const onnxruntime::OpKernelInfo&) [with T = float]",
        "onnxruntime::Locale::Locale(const std::string&)::<lambda()>",
    ],
)
def test_the_function_goes_the_message_stays(function: str) -> None:
    said = f"[ONNXRuntimeError] : 1 : FAIL : While loading: {FILE} {function} It is (too)\n new.\n"
    assert one_line(RuntimeError(said)) == "While loading: It is (too) new."
