"""Speed and fidelity of well-known networks, beside onnxruntime's own quantizers.

    python benchmarks/network_speeds.py [--networks resnet50,bert_base] [--rounds N] [--json FILE]

Each network is compiled with the defaults and quantized by each peer on the same feeds; then all run in turns with the
float model, in one process and on one thread. A peer that fails, or whose model the runtime refuses, has no speed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import onnx

import qcompile
from benchmarks import output
from benchmarks.choices import choices
from benchmarks.networks import NETWORKS, Feed
from benchmarks.peers import PEERS
from benchmarks.quietest import seconds
from qcompile.errors import QCompileError
from qcompile.runtime import Session, speed_ratios
from qcompile.verify import compare

CALIBRATION, FRESH = 8, 4
"""Feeds to calibrate on, and others to measure the error on."""
OURS = "qcompile"


@dataclass(frozen=True)
class Quantized:
    """What one tool made of a network; speeds are multiples of the float model's."""

    tool: str
    seconds: float
    """That it took to quantize."""
    speed: float | None = None
    sqnr_db: float | None = None
    megabytes: float | None = None
    integer_share: float | None = None
    """Share of the multiply-adds, 0..1, where the tool tells."""
    error: str | None = None


@dataclass(frozen=True)
class Speeds:
    """A network in all its forms."""

    network: str
    float_ms: float
    float_megabytes: float
    forms: tuple[Quantized, ...]

    def row(self) -> dict[str, Any]:
        """One line of the table."""
        ours, *peers = self.forms
        best = max((peer.speed for peer in peers if peer.speed is not None), default=None)
        return {
            "network": self.network,
            "float ms": self.float_ms,
            **{form.tool: form.speed for form in (*peers, ours)},
            "beside best": ours.speed / best if ours.speed and best else None,
            "dB": " ".join("-" if f.sqnr_db is None else f"{f.sqnr_db:.1f}" for f in (*peers, ours)),
            "MB": f"{self.float_megabytes:.1f} > {ours.megabytes or 0:.1f}",
            "integer %": None if ours.integer_share is None else 100 * ours.integer_share,
        }


def measure(name: str, rounds: int) -> Speeds:
    """Quantize a network by every tool and run all results."""
    network = NETWORKS[name]()
    calibration, fresh = network.feeds(CALIBRATION, seed=1), network.feeds(FRESH, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "float.onnx"
        onnx.save(network.model, model)
        del network
        files = {tool: Path(folder) / f"{tool}.onnx" for tool in (OURS, *PEERS)}
        forms = [_ours(model, calibration, files[OURS])]
        forms += [_peer(tool, model, calibration, files[tool]) for tool in PEERS]
        float_session = Session(model)
        opened = [_opened(form, files[form.tool]) for form in forms]
        running = [session for _, session in opened if session is not None]
        speeds = iter(speed_ratios(float_session, running, fresh[0], rounds=rounds))
        done = [
            form if session is None else _measured(form, session, next(speeds), float_session, fresh)
            for form, session in opened
        ]
        return Speeds(name, 1e3 * seconds(float_session, fresh[0]), _megabytes(model), tuple(done))


def _ours(model: Path, feeds: Sequence[Feed], out: Path) -> Quantized:
    start = time.perf_counter()
    result = qcompile.compile(model, calib=feeds)
    result.save(out)
    total = sum(node.macs for node in result.operators)
    share = sum(node.macs for node in result.operators if node.integer) / total if total else None
    return Quantized(OURS, time.perf_counter() - start, megabytes=_megabytes(out), integer_share=share)


def _peer(tool: str, model: Path, feeds: Sequence[Feed], out: Path) -> Quantized:
    start = time.perf_counter()
    try:
        PEERS[tool](model, feeds, out)
    except Exception as error:  # whatever a foreign tool raises is its result
        return Quantized(tool, time.perf_counter() - start, error=f"{type(error).__name__}: {error}")
    return Quantized(tool, time.perf_counter() - start, megabytes=_megabytes(out))


def _opened(form: Quantized, file: Path) -> tuple[Quantized, Session | None]:
    if form.error is not None:
        return form, None
    try:
        return form, Session(file)
    except QCompileError as error:
        return replace(form, error=str(error)), None


def _measured(form: Quantized, session: Session, speed: float, reference: Session, feeds: Sequence[Feed]) -> Quantized:
    sqnr_db = min(output.sqnr_db for output in compare(reference, session, feeds))
    return replace(form, speed=speed, sqnr_db=sqnr_db)


def _megabytes(file: Path) -> float:
    return file.stat().st_size / 1e6


@click.command()
@click.option("--networks", callback=choices(NETWORKS), default=",".join(NETWORKS), help="Names, with commas between.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of timing, in turns.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the results here.")
def main(networks: list[str], rounds: int, json_file: Path | None) -> None:
    """Speed and fidelity of well-known networks, beside onnxruntime's own quantizers."""
    found = []
    for name in networks:
        click.echo(name, err=True)
        found.append(measure(name, rounds))
        output.write(json_file, [asdict(speeds) for speeds in found])
    output.show("Speed beside float; dB in the same order", [speeds.row() for speeds in found])
    for speeds in found:
        for form in speeds.forms:
            if form.error:
                click.echo(f"{speeds.network}, {form.tool}: {form.error}")


if __name__ == "__main__":
    main()
