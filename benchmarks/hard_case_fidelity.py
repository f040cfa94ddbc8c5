"""Generated hard cases: error of plain 8-bit rounding, and of what the compiler makes of them.

    python benchmarks/hard_case_fidelity.py [--cases recurrent,detector_tail] [--json FILE]

Plain is every range from minimum to maximum, every weight to the nearest code, nothing repaired, nothing timed. Errors
are those of the worst part of the outputs on samples that were not calibrated on. A recurrent case runs on its own
states, the quantized model on those that it made itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import onnx_ir as ir

import qcompile
from benchmarks import output
from benchmarks.choices import choices
from benchmarks.hard_cases import HARD_CASES, HardCase
from benchmarks.hard_cases.case import Parts
from benchmarks.networks import Feed
from qcompile.pipeline import Pipeline
from qcompile.quant import Comparison
from qcompile.runtime import Session

WANTED_DB = 25.0


@dataclass(frozen=True)
class Fidelity:
    """SQNR of each part of a case's outputs, plain and as compiled."""

    case: str
    plain_db: dict[str, float]
    compiled_db: dict[str, float]
    integer_share: float
    """Share of the multiply-adds, 0..1, that the compiled model does on integers."""

    def row(self) -> dict[str, Any]:
        """One line of the table."""
        compiled = min(self.compiled_db.values())
        return {
            "case": self.case,
            "plain dB": min(self.plain_db.values()),
            "compiled dB": compiled,
            "integer %": 100 * self.integer_share,
            "verdict": "" if compiled >= WANTED_DB else f"below {WANTED_DB:.0f} dB",
        }


def measure(name: str) -> Fidelity:
    """Compile a case both ways and run the results beside the float model."""
    case = HARD_CASES[name]()
    model, calibration = case.network.model, case.network.feeds(case.calibration, seed=1)
    unrepaired = Pipeline([entry for entry in Pipeline.default().entries if entry[0] != "repair"])
    plain = qcompile.compile(
        model, calib=calibration, sequence=case.sequence, observer="min-max", effort="fast", pipeline=unrepaired
    )
    compiled = qcompile.compile(model, calib=calibration, sequence=case.sequence)
    reference = Session(ir.from_proto(model))
    fresh = case.network.feeds(case.fresh, seed=2)
    before, after = (_sqnr_db(case, reference, Session(result.model), fresh) for result in (plain, compiled))
    total = sum(node.macs for node in compiled.operators)
    integer = sum(node.macs for node in compiled.operators if node.integer)
    return Fidelity(name, before, after, integer / total)


def _sqnr_db(case: HardCase, reference: Session, candidate: Session, feeds: Sequence[Feed]) -> dict[str, float]:
    runs = zip(outputs(case, reference, feeds), outputs(case, candidate, feeds), strict=True)
    wanted, got = next(runs)
    comparison = Comparison(list(wanted))
    comparison.update([*wanted.values()], [*got.values()])
    for wanted, got in runs:
        comparison.update([*wanted.values()], [*got.values()])
    return {part.name: part.sqnr_db for part in comparison.result()}


def outputs(case: HardCase, session: Session, feeds: Sequence[Feed]) -> Iterator[Parts]:
    """The parts of the outputs on every feed, in order; states begin at zero, and go from one feed to the next."""
    carried = case.first_states
    for feed in feeds:
        found = session.run({**feed, **carried})
        by_name = dict(zip(session.outputs, found, strict=True))
        carried = {into: by_name[name] for name, into in case.sequence.items()}
        yield case.parts(found)


@click.command()
@click.option("--cases", callback=choices(HARD_CASES), default=",".join(HARD_CASES), help="Names, with commas between.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the results here.")
def main(cases: list[str], json_file: Path | None) -> None:
    """Error of generated hard cases, plainly rounded and compiled."""
    found = [measure(name) for name in cases]
    output.show("SQNR of the worst part of the outputs", [fidelity.row() for fidelity in found])
    output.write(json_file, [asdict(fidelity) for fidelity in found])


if __name__ == "__main__":
    main()
