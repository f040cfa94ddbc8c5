"""Text: one screen that says what the facts say, whatever names a model has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from qcompile.plan import Code, Reason
from qcompile.report.data import CompileFacts, compile_facts, inspect_facts, validate_facts
from qcompile.report.text import compiled as compiled_text
from qcompile.report.text import inspected, listing, passes_run, validated
from qcompile.report.words import megabytes, number, one_line, short

Make = Callable[..., Any]
Render = Callable[..., list[str]]

LINES, COLUMNS = 24, 100


def facts_of(result: Any, then: str = "qcompile validate m.onnx m.int8.onnx --data data/") -> CompileFacts:
    return compile_facts(result, model="m.onnx", output="out/m.int8.onnx", min_sqnr=None, then=then)


def test_summary(compiled: Make, rendered: Render) -> None:
    assert rendered(compiled_text(facts_of(compiled()))) == [
        "m.int8.onnx: 28 of 31 compute nodes on integers, 99.8 % of the multiply-adds",
        "size      900.0 kB -> 250.0 kB (3.6 times smaller)",
        "fidelity  on 16 of 128 samples, held back from calibration",
        "          boxes: SQNR 21.5 dB",
        "          logits: SQNR 38.2 dB, same largest entry 100.0 %",
        "speed     2.18x float (measured here: a processor (avx512-vnni), 1 thread)",
        "float     2  no-integer-kernel  softmax_1, erf_2: the target has no integer kernel for this operator",
        "          1  excluded           head: an option or a rule excludes it; drop the option that names it",
        "runs on   onnxruntime >= 1.22, IR version 10; integers are exact on x86-64 with VNNI, arm64",
        "warning   one thing to know",
        "file      out/m.int8.onnx",
        "next      qcompile validate m.onnx m.int8.onnx --data data/",
    ]


def test_summary_names_what_costs_most_and_what_would_make_it_exact(
    compiled: Make, make: Make, rendered: Render
) -> None:
    culprit = make("Culprit")
    found = (
        culprit(),
        culprit("kernel", "conv_9", "Conv", True, share=1.2, tried=("one scale", "bias corrected"), slower=None),
        culprit("image", "", "", share=0.06, option="--exclude '^conv_1$'"),
    )
    lines = rendered(compiled_text(facts_of(compiled(culprits=found))))
    start = next(i for i, line in enumerate(lines) if line.startswith("error"))
    assert lines[start : start + 6] == [
        "error     34 % of the error at boxes: what Conv conv_3 makes (tried: range by min-max)",
        "          exact with --exclude '^(conv_3|conv_4)$' (7.4 % of the multiply-adds, about 5.1 % slower)",
        "          120 %: weights of Conv conv_9 (tried: one scale, bias corrected)",
        "          exact with --exclude '^(conv_3|conv_4)$' (7.4 % of the multiply-adds)",
        "          6 %: input image (tried: range by min-max)",
        "          exact with --exclude '^conv_1$' (7.4 % of the multiply-adds, about 5.1 % slower)",
    ]


@pytest.mark.parametrize(
    ("tuned_for", "said"),
    [("by the table of target board, measured", " (by the table of target board, measured)"), ("", "")],
)
def test_summary_says_why_there_is_no_speed(tuned_for: str, said: str, compiled: Make, rendered: Render) -> None:
    result = compiled(speed=None, tuned_for=tuned_for)
    assert f"speed     not timed{said}" in rendered(compiled_text(facts_of(result)))


def test_summary_of_a_large_model_fits_one_screen(compiled: Make, make: Make, rendered: Render) -> None:
    name = "/backbone/features/features.{}/block/block.{}/Conv_quant_friendly"
    reasons = [
        make("Node")(name.format(i, j), "Conv", False, 10, Reason(code, "detail"))
        for i, code in enumerate(list(Code)[:6])
        for j in range(40)
    ]
    outputs = tuple(make("Fidelity")(f"output_{i}", 20.0 + i, agreement=0.9) for i in range(12))
    culprits = (make("Culprit")(),) * 3
    result = compiled(operators=tuple(reasons), fidelity=outputs, warnings=("a warning " * 8,), culprits=culprits)
    lines = rendered(compiled_text(facts_of(result)))
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert "; the worst 2 of 12 outputs" in "\n".join(lines)
    assert any(line.split()[:2] == ["120", "others"] for line in lines)


def test_inputs_and_outputs_of_8_bits_are_listed(compiled: Make, make: Make, rendered: Render) -> None:
    ports = tuple(make("Port")(f"port_{i}", "uint8", 1 / 255, 128) for i in range(6))
    lines = rendered(compiled_text(facts_of(compiled(quantized_io=ports))))
    start = lines.index("8-bit io  port_0: uint8, scale 0.00392157, zero point 128")
    assert lines[start + 4] == "          and 2 more"


def test_command_to_copy_is_never_broken(compiled: Make, rendered: Render) -> None:
    then = f"qcompile validate {'deep/' * 40}m.onnx m.int8.onnx --data data/"
    assert rendered(compiled_text(facts_of(compiled(), then)))[-1] == f"next      {then}"


@pytest.mark.parametrize(
    ("status", "said"), [("already-quantized", "already quantized"), ("nothing-to-quantize", "nothing to quantize")]
)
def test_one_line_where_nothing_was_done(status: str, said: str, make: Make, rendered: Render) -> None:
    facts = facts_of(make("Compiled")(status=status, warnings=("because",)))
    assert rendered(compiled_text(facts)) == [f"m.onnx: {said} (because); out/m.int8.onnx is an exact copy of it"]


def test_nothing_to_quantize_says_node_by_node_why(compiled: Make, rendered: Render) -> None:
    nodes = compiled().operators[-3:]
    lines = rendered(compiled_text(facts_of(compiled(status="nothing-to-quantize", operators=nodes))))
    assert len(lines) == 3
    assert lines[1].startswith("float     2  no-integer-kernel")


def test_names_cannot_write_to_the_terminal(compiled: Make, make: Make, rendered: Render) -> None:
    evil = "a\x1b[31m\r\n[bold]b[/bold]"
    node = make("Node")(evil, "Conv", False, 0, Reason(Code.EXCLUDED))
    text = "\n".join(rendered(compiled_text(facts_of(compiled(operators=(node,), warnings=(evil,))))))
    assert "\x1b" not in text
    assert text.count("a\\x1b[31m [bold]b[/bold]") == 2


def test_small_print_of_fidelity(compiled: Make, make: Make, rendered: Render) -> None:
    fidelity = (make("Fidelity")("a", math.inf), make("Fidelity")("b", math.nan))
    text = "\n".join(rendered(compiled_text(facts_of(compiled(fidelity=fidelity, held_back=5, samples=5)))))
    assert "fidelity  on 5 samples, the same that calibrated\n" in text
    assert "a: SQNR exact" in text
    assert "b: SQNR not finite" in text


def test_passes_say_where_they_declined(compiled: Make, rendered: Render) -> None:
    lines = rendered(passes_run(facts_of(compiled())))
    assert lines[1].split() == ["fold-batchnorm", "0.250", "9"]
    assert lines[2].endswith("head: a rewrite saw its pattern but declined (alpha is 2)")


@pytest.mark.parametrize(
    ("min_sqnr", "verdict"),
    [
        (None, "the worst output, boxes, is at 21.5 dB over 128 samples"),
        (20, "met: SQNR >= 20 dB; the worst output, boxes, is at 21.5 dB over 128 samples"),
        (30, "missed: SQNR of output 'boxes' is 21.5 dB, below 30 dB"),
    ],
)
def test_validation(make: Make, rendered: Render, min_sqnr: float | None, verdict: str) -> None:
    report = make("Validated")((make("Fidelity")("logits", 38.0, agreement=0.995), make("Fidelity")("boxes", 21.5)))
    facts = validate_facts(report, reference="a", candidate="b", min_sqnr=min_sqnr, min_agreement=None)
    title, *rows, last = rendered(validated(facts))
    assert title.split() == ["output", "SQNR", "cosine", "max", "abs", "agreement"]
    assert [row.split() for row in rows] == [
        ["boxes", "21.5", "dB", "0.999000", "0.01", "-"],
        ["logits", "38.0", "dB", "0.999000", "0.01", "99.5", "%"],
    ]
    assert last == verdict


@pytest.mark.parametrize(
    ("sqnr", "samples", "verdict"),
    [
        (math.inf, 128, "every output is exactly the same over 128 samples"),
        (math.nan, 128, "the worst output is not finite over 128 samples"),
        (21.5, 1, "the worst output is at 21.5 dB over 1 sample"),
    ],
)
def test_verdict_in_words(make: Make, rendered: Render, sqnr: float, samples: int, verdict: str) -> None:
    report = make("Validated")((make("Fidelity")("logits", sqnr),), samples)
    facts = validate_facts(report, reference="a", candidate="b", min_sqnr=None, min_agreement=None)
    assert rendered(validated(facts))[-1] == verdict


def test_inspection_fits_one_screen(make: Make, rendered: Render) -> None:
    counts = {f"Op{i}": 1 for i in range(30)} | {"Conv": 27, "Softmax": 1}
    lines = rendered(inspected(inspect_facts(make("Inspected")(make("NODES"), counts), model="m.onnx", target="cpu")))
    assert lines[0] == "m.onnx: 58 nodes, float; 28 would compute on integers"
    assert "size      901.5 kB, 224.00 k parameters" in lines
    assert any(line.split() == ["Conv", "27", "27"] for line in lines)
    assert "and 23 more kinds of nodes" in lines
    assert lines[-1].startswith("excluded: an option or a rule excludes it")
    assert len(lines) <= LINES


def test_inspection_of_a_quantized_model(make: Make, rendered: Render) -> None:
    inspection = make("Inspected")((), {"QLinearConv": 3}, quantized="QOperator")
    lines = rendered(inspected(inspect_facts(inspection, model="m.onnx", target="cpu")))
    assert lines[0] == "m.onnx: 3 nodes, quantized already (QOperator): compile copies it"


def test_listing(rendered: Render) -> None:
    assert rendered(listing(("name", "what"), [("a", "one"), ("long name", "[two]")])) == [
        "name       what",
        "a          one",
        "long name  [two]",
    ]


def test_words() -> None:
    assert [megabytes(size) for size in (0, 999, 1_500_000, 3_000_000_000)] == [
        "0.0 kB",
        "1.0 kB",
        "1.50 MB",
        "3.00 GB",
    ]
    assert [number(count) for count in (7, 1_500, 2_000_000)] == ["7", "1.50 k", "2.00 M"]
    assert short("/a/long/path/to/Conv", 12) == "..th/to/Conv"
    assert one_line("blank blank") == "blank blank"


def test_the_front_is_shown_the_fastest_first(compiled: Make, make: Make, rendered: Render) -> None:
    front = (make("Form")(33.4, 2.28, 52), make("Form")(47.0, 1.02, 0, ("conv_1",)))
    facts = facts_of(compiled(front=front))
    lines = rendered(compiled_text(facts))
    start = next(i for i, line in enumerate(lines) if line.startswith("front"))
    assert lines[start : start + 2] == [
        "front     2.28x at 33.4 dB (52 nodes on integers)",
        "          1.02x at 47.0 dB (0 nodes on integers)",
    ]
    assert facts.front[1].in_float == ("conv_1",)
