"""The error family. The message of an error is the one line that a user reads: WHAT in WHICH (WHY); TRY.

QCompileError          exit code 1: the input cannot be used
├── ModelError         the model: unreadable, invalid, unknown operators, NaN weights
├── CalibrationError   the data: wrong names, shapes or types, unreadable files, NaN
├── TargetError        no such target, or it refuses the result
├── PlanError          a plan that does not fit the model, or is no plan
├── RecipeError        rules that cannot be read or match nothing
├── OutputError        the result cannot be written
└── BudgetMissed       exit code 3: the result is on disk, but below what was asked for
"""

from __future__ import annotations


class QCompileError(Exception):
    """Base of every error that qcompile raises on purpose; `str(error)` is one line."""

    exit_code = 1


class ModelError(QCompileError):
    """The model cannot be read, is invalid, or cannot be run."""


class CalibrationError(QCompileError):
    """Calibration or validation data cannot be used."""


class TargetError(QCompileError):
    """The target is unknown, or does not load or run the result."""


class PlanError(QCompileError):
    """A plan file is unreadable or does not fit the model."""


class RecipeError(QCompileError):
    """A rule cannot be read, or matches nothing."""


class OutputError(QCompileError):
    """The result cannot be written where it should be."""


class BudgetMissed(QCompileError):
    """The result was written, but misses the budget that was asked for."""

    exit_code = 3
