"""What benchmarks count and write, timing apart."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
import numpy as np
import onnx_ir as ir
import pytest
from click.testing import CliRunner

from benchmarks import compile_cost, output
from benchmarks.compile_cost import PhaseClock
from benchmarks.kernels import pairs
from benchmarks.network_speeds import OURS, Quantized, Speeds
from benchmarks.peers import PEERS
from qcompile import models
from qcompile.runtime import Session


def test_a_phase_lasts_until_the_next_one_begins() -> None:
    times = iter([0.0, 1.0, 3.0, 4.0])
    clock = PhaseClock(lambda: next(times))
    for phase, done in (("calibrate", 0), ("calibrate", 1), ("verify", 0)):
        clock(phase, done, None)
    clock.stop()
    assert clock.seconds == {"load": 1.0, "calibrate": 2.0, "verify": 1.0}


def test_our_speed_stands_beside_the_best_peer() -> None:
    peers = (Quantized("a", 1.0, speed=2.0), Quantized("b", 1.0, error="refused"), Quantized("c", 1.0, speed=1.5))
    speeds = Speeds("net", 10.0, 4.0, (Quantized(OURS, 1.0, speed=3.0), *peers))
    assert speeds.row()["beside best"] == 1.5
    assert speeds.row()["b"] is None


def test_results_are_json_with_the_machine(tmp_path: Path) -> None:
    output.write(tmp_path / "r.json", [{"sqnr_db": math.inf, "names": ("a", "b")}])
    written = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert written["results"] == [{"sqnr_db": "inf", "names": ["a", "b"]}]
    assert {"processor", "onnxruntime", "qcompile"} <= set(written["host"])


def test_an_unknown_name_is_a_wrong_command_line() -> None:
    run = CliRunner().invoke(compile_cost.main, ["--models", "residual,nothing"])
    assert run.exit_code == click.UsageError.exit_code
    assert "'nothing' is none of residual" in run.output


def test_every_kernel_of_the_table_runs() -> None:
    for pair in pairs(np.random.default_rng(0)):
        for node in (pair.integer, pair.plain):
            Session(ir.from_proto(node.model())).run(node.feed())


@pytest.mark.parametrize("tool", PEERS)
def test_a_peer_writes_a_model_that_runs(tool: str, tmp_path: Path) -> None:
    feeds = list(models.calibration("residual"))[:2]
    PEERS[tool](models.path("residual"), feeds, tmp_path / "out.onnx")
    (logits,) = Session(tmp_path / "out.onnx").run(feeds[0])
    assert np.isfinite(logits).all()
