"""qcompile: any float ONNX model in, an int8 model that is right, faster and explained out.

    result = qcompile.compile("model.onnx", calib=feeds)
    result.save("model.int8.onnx")

Names are loaded when they are first used: `import qcompile` alone is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qcompile.api import (
        BenchReport,
        CompileResult,
        Inspection,
        NodeReport,
        ValidationReport,
        bench,
        compile,
        inspect,
        speed_ratio,
        validate,
    )
    from qcompile.errors import (
        BudgetMissed,
        CalibrationError,
        ModelError,
        OutputError,
        PlanError,
        QCompileError,
        RecipeError,
        TargetError,
    )
    from qcompile.pipeline import Context, Pass, PassResult, Pipeline, RulePass
    from qcompile.plan import Plan, Reason

__version__ = "0.1.0"

_HOMES = {
    "qcompile.api": (
        "BenchReport", "CompileResult", "Inspection", "NodeReport", "ValidationReport", "bench", "compile", "inspect",
        "speed_ratio", "validate",
    ),
    "qcompile.errors": (
        "BudgetMissed", "CalibrationError", "ModelError", "OutputError", "PlanError", "QCompileError", "RecipeError",
        "TargetError",
    ),
    "qcompile.pipeline": ("Context", "Pass", "PassResult", "Pipeline", "RulePass"),
    "qcompile.plan": ("Plan", "Reason"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BenchReport",
    "BudgetMissed",
    "CalibrationError",
    "CompileResult",
    "Context",
    "Inspection",
    "ModelError",
    "NodeReport",
    "OutputError",
    "Pass",
    "PassResult",
    "Pipeline",
    "Plan",
    "PlanError",
    "QCompileError",
    "Reason",
    "RecipeError",
    "RulePass",
    "TargetError",
    "ValidationReport",
    "bench",
    "compile",
    "inspect",
    "speed_ratio",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'qcompile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
