"""What becomes of the models that the `onnx` package ships or generates.

    python benchmarks/backend_outcomes.py [SUITE ...] [--write]

prints the count of each outcome; `--write` makes it the golden file of the tests.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

import qcompile
from benchmarks.backend_cases import SUITES, Case, cases
from qcompile.api.runnable import runnable_form
from qcompile.errors import QCompileError
from qcompile.ir import constant, load_model, nodes, static_shape, to_proto
from qcompile.passes.canonicalize import FoldConstants, LiftConstants, NameNodes
from qcompile.pipeline import Context, Pipeline
from qcompile.quant import Comparison
from qcompile.runtime import ONE_THREAD, Session, profile
from qcompile.verify import multiply_adds

GOLDEN = Path(__file__).parents[1] / "tests" / "backend" / "outcomes.json"
BAD = ("crash", "does-not-load", "wrong")

MIN_SQNR_DB = 20.0
MAX_RELATIVE = 1e-4
MAX_ABSOLUTE = 1e-3
"""What an output of zero power may become."""

DEFECTS = ("parts from its reference", "not finite where the float model's is")
"""What the compiler says when its own result fails its checks."""

PRODUCTS = ("Conv", "Gemm", "MatMul")
USEFUL_CONV, USEFUL_PRODUCT, USEFUL_SIDE = 800_000, 100_000, 64
"""Multiply-adds, and rows and columns of a matrix, from which on integers are worth their while."""


@dataclass(frozen=True)
class Outcome:
    """What became of one case, in a word and with the details of a failure.

    `useful`: whether it holds a product of useful size with constant weights; `integer`: whether a product of it is
    computed on integers.
    """

    suite: str
    name: str
    kind: str
    detail: str = ""
    useful: bool = False
    integer: bool = False


def outcome(case: Case) -> Outcome:
    """Compile one case on its own inputs, load and run the result, compare it with what is expected."""
    try:
        result = qcompile.compile(case.model, calib=list(case.feeds), format="qoperator")
    except QCompileError as error:
        return Outcome(case.suite, case.name, _kind_of(error, case), str(error))
    except Exception as error:
        return Outcome(case.suite, case.name, "crash", f"{type(error).__name__}: {error}")
    integer = any(node.integer for node in result.operators)
    kind = result.status if result.status != "compiled" else "quantized" if integer else "stored"
    proto = onnx.ModelProto.FromString(result.original()) if result.original else to_proto(result.model)
    try:
        session = Session(proto)
    except QCompileError as error:
        is_copy = result.original is not None  # of what the runtime refuses, as it came
        return Outcome(case.suite, case.name, "refused, as by onnxruntime" if is_copy else "does-not-load", str(error))
    wrong = _wrong(case, session, is_quantized=result.status == "compiled")
    useful = _has_useful_products(case)
    products = any(node.integer and node.op_type in PRODUCTS for node in result.operators)
    return Outcome(case.suite, case.name, "wrong" if wrong else kind, wrong, useful, products)


def _kind_of(error: QCompileError, case: Case) -> str:
    if "\n" in str(error):
        return "crash"
    if any(defect in str(error) for defect in DEFECTS):
        return "wrong"
    try:
        for feed in case.feeds:
            Session(_loadable(case.model)).run(feed)
    except QCompileError:
        return "refused, as by onnxruntime"
    return f"refused: {type(error).__name__}"


def _wrong(case: Case, session: Session, *, is_quantized: bool) -> str:
    """The first output that is too far from the reference, in words; "" if none is.

    The reference is what the package says, or the runtime's own outputs where it says something else of the original.
    """
    for feed, expected in zip(case.feeds, case.expected, strict=True):
        try:
            own = Session(_loadable(case.model)).run(feed)
            again = Session(_loadable(case.model)).run(feed)
        except QCompileError:
            continue  # the runtime cannot run the original: there is nothing to hold the result against
        got = session.run(feed)
        for name, first, second, said, actual in zip(session.outputs, own, again, expected, got, strict=True):
            if not _is_near(first, second):
                continue  # random by nature
            reference = said if _is_near(said, first) else first
            if not is_quantized or not _is_float(reference):
                if not is_quantized and not _is_near(reference, actual):
                    return f"output {name!r} differs"
            elif (sqnr := _sqnr_db(reference, actual)) < MIN_SQNR_DB:
                return f"output {name!r} at {sqnr:.1f} dB"
    return ""


def _loadable(model: Path | onnx.ModelProto) -> Path | bytes:
    return model if isinstance(model, Path) else model.SerializeToString()


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _is_near(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, list | tuple) and isinstance(got, list | tuple):
        return len(wanted) == len(got) and all(map(_is_near, wanted, got))
    wanted, got = np.asarray(wanted), np.asarray(got)
    if wanted.shape != got.shape:
        return False
    if wanted.dtype.kind not in "fV" or got.dtype.kind not in "fV":
        return np.array_equal(wanted, got)
    wanted, got = wanted.astype(np.float64), got.astype(np.float64)
    finite = wanted[np.isfinite(wanted)]
    scale = float(np.abs(finite).max(initial=0.0)) or 1.0
    return bool(np.allclose(got, wanted, rtol=MAX_RELATIVE, atol=MAX_RELATIVE * scale, equal_nan=True))


def _sqnr_db(wanted: np.ndarray, got: np.ndarray) -> float:
    comparison = Comparison(["output"])
    comparison.update([wanted], [got])
    found = comparison.result()[0]
    if not wanted.any() and found.max_abs <= MAX_ABSOLUTE:
        return math.inf
    return found.sqnr_db


def _has_useful_products(case: Case) -> bool:
    """Whether a Conv, Gemm or MatMul with constant weights is of useful size."""
    model = runnable_form(load_model(case.model), ONE_THREAD)
    Pipeline([("canonicalize", step) for step in (NameNodes(), LiftConstants(), FoldConstants())]).run(model, Context())
    weighted = [node for node in nodes(model) if node.op_type in PRODUCTS and constant(node.inputs[1]) is not None]
    if not weighted:
        return False
    work = multiply_adds(profile(model, case.feeds[0]))
    return any(_is_useful(node, work.get(node.name or "", 0)) for node in weighted)


def _is_useful(node: ir.Node, work: int) -> bool:
    shape = static_shape(node.inputs[1]) or ()
    if node.op_type == "Conv":
        return work >= USEFUL_CONV
    return work >= USEFUL_PRODUCT and len(shape) == 2 and min(shape) >= USEFUL_SIDE


def golden(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """The counts of the outcomes in each suite, and the names of the bad ones and of what only we refuse."""
    outcomes = list(outcomes)
    suites = dict.fromkeys(found.suite for found in outcomes)
    useful = [found for found in outcomes if found.useful]
    return {
        "versions": {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        "suites": {
            suite: dict(sorted(Counter(found.kind for found in outcomes if found.suite == suite).items()))
            for suite in suites
        },
        "useful products": {"models": len(useful), "on integers": sum(found.integer for found in useful)},
        "names": {
            kind: sorted(f"{found.suite}/{found.name}" for found in outcomes if found.kind == kind)
            for kind in (*BAD, *sorted({found.kind for found in outcomes if found.kind.startswith("refused: ")}))
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suites, print the table and every bad case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--write", action="store_true", help=f"write {GOLDEN.name}; takes all suites")
    given = parser.parse_args(arguments)
    if given.write and given.suites:
        parser.error("--write takes all suites")
    outcomes = [outcome(case) for case in cases(given.suites or SUITES)]
    found = golden(outcomes)
    print(json.dumps(found, indent=2))
    for bad in outcomes:
        if bad.kind in BAD:
            print(f"{bad.kind}: {bad.suite}/{bad.name}: {bad.detail}")
    if given.write:
        GOLDEN.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
