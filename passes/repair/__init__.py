"""Repair: the float model is moved to where quantization hurts less."""

from __future__ import annotations

from qcompile.passes.repair.correct_bias import CorrectBias
from qcompile.passes.repair.migrate_scales import MigrateScales, migrated_constant
from qcompile.passes.repair.round_weights import RoundWeights

__all__ = ["CorrectBias", "MigrateScales", "RoundWeights", "migrated_constant"]
