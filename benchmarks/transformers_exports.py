"""Exports of the `transformers` package through the compiler.

    pip install torch transformers
    python benchmarks/transformers_exports.py [ARCHITECTURE ...] [--json FILE] [--keep DIR]

builds each architecture small and with random weights, exports it by both exporters of torch, compiles each export with
calibration data and without, loads and runs the result, and prints a table; `--keep` leaves the exported models in a
folder. An export counts when it computes what torch computes on inputs of other sizes; where only fixed sizes do, it
is `fixed`.

With torch 2.13, transformers 5.23 and onnxruntime 1.31 all 26 exports are dynamic, and 50 of 52 compile, load and
reach 20 dB. Integer share of multiply-adds in %, SQNR of the lowest output in dB, size:

    architecture     dynamo, data       dynamo, none       script, data       script, none
    BERT              97.0  39.3 0.32   97.0  39.2 0.32   97.0  39.3 0.29   97.0  39.2 0.29
    DistilBERT        97.0  43.7 0.32   97.0  43.6 0.32   97.0  43.7 0.29   97.0  43.6 0.29
    RoBERTa           97.0  36.8 0.33   97.0  29.7 0.33   97.0  36.8 0.29   97.0  29.7 0.29
    DeBERTa           93.0  41.9 0.35   94.1  39.3 0.35   93.0  41.9 0.32   94.1  39.3 0.32
    DeBERTa-v2        43.8  42.3 0.38   30.5  42.6 0.38   43.8  42.3 0.34   30.5  42.6 0.34
    T5 encoder        97.0  35.5 0.35   80.0  33.6 0.35   97.0  35.5 0.29   80.0  33.6 0.29
    GPT-2             98.2  33.0 0.35   98.2  33.4 0.35   98.2  33.0 0.29   98.2  33.4 0.29
    Llama             97.8  31.6 0.34   84.6  32.0 0.34   97.8  31.6 0.29   84.6  32.0 0.29
    ViT               89.6  34.3 0.33   89.6  34.0 0.33   89.6  34.3 0.30   89.6  34.0 0.30
    Swin              97.1  34.1 0.33   97.1  33.0 0.33   97.1  34.1 0.33   97.1  33.0 0.33
    ConvNeXt         100.0  33.3 0.28   75.3  34.9 0.28  100.0  33.3 0.28   75.3  34.9 0.28
    Whisper encoder   95.8  53.7 0.30   95.8  53.7 0.30   95.8  53.7 0.29   95.8  53.7 0.29
    wav2vec2          99.4  25.9 0.32  100.0  16.6 0.32   99.4  25.9 0.29  100.0  16.6 0.29

Below 20 dB is wav2vec2 without data: the synthetic sound of 512 samples is one frame long, and ranges of the positional
convolution from one frame do not hold on longer sound; with `--input-shape input_values=1,4800` it has 25.7 dB. Of
DeBERTa-v2 44 % and more are products of two constants, which the runtime computes while it loads. The dynamo exporter
fails on the fused attention of T5 and Swin (it views a transposed tensor); their plain attention is exported instead.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

import qcompile
from benchmarks.transformers_cases import ARCHITECTURES, OPEN, Feed
from qcompile.quant import Comparison
from qcompile.runtime import Session

MIN_SQNR_DB = 20.0
SAMPLES, HELD_OUT = 16, 8
MAX_DEVIATION = 1e-3
"""Of an export from torch, relative to the largest number of an output."""


class Tensors(torch.nn.Module):
    """A model with a fixed list of inputs and the tensors among its outputs."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        """Outputs in the model's order."""
        found = self.model(**dict(zip(self.names, inputs, strict=True)))
        return tuple(value for value in found.to_tuple() if isinstance(value, torch.Tensor))


@dataclass(frozen=True)
class Row:
    """What became of one export: `exported` is `dynamic`, `fixed` or `no`.

    `error` says what failed, be it that the exporter took another way then.
    """

    architecture: str
    exporter: str
    calibration: str
    exported: str
    nodes: int = 0
    integer_share: float = math.nan
    sqnr_db: float = math.nan
    size_ratio: float = math.nan
    error: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it was exported, compiled, loaded and came near enough."""
        return self.exported != "no" and self.sqnr_db >= MIN_SQNR_DB


def rows(name: str, folder: Path) -> Iterator[Row]:
    """Export one architecture by both exporters and compile what comes out, with data and without."""
    kind, build = ARCHITECTURES[name]
    for exporter in ("dynamo", "script"):
        torch.manual_seed(0)
        model = Tensors(build(), list(OPEN[kind])).eval()  # the wrapper too: its mode comes back after an export
        file = folder / f"{name}.{exporter}.onnx"
        exported, why = export(model, kind, exporter, file)
        for calibration in ("data", "none"):
            row = Row(name, exporter, calibration, exported, error=why)
            yield row if exported == "no" else compiled(row, file, feeds(kind, exported, SAMPLES + HELD_OUT))


def feeds(kind: Callable[..., Feed], exported: str, count: int, seed: int = 0) -> list[Feed]:
    """Seeded inputs, of many sizes where the export takes them; the first is of the size that was exported."""
    rng = np.random.default_rng(seed)
    sizes = [(2, 16)] * count
    if exported == "dynamic":
        sizes[1:] = [(int(rng.integers(1, 4)), int(rng.integers(6, 33))) for _ in sizes[1:]]
    return [kind(rng, *size) for size in sizes]


def export(model: Any, kind: Callable[..., Feed], exporter: str, file: Path) -> tuple[str, str]:
    """How much of the model could be exported, and why no more."""
    why = ""
    for exported, attention in (("dynamic", None), ("dynamic", "eager"), ("fixed", "eager")):
        samples = feeds(kind, exported, 4)
        inputs = tuple(torch.from_numpy(array) for array in samples[0].values())
        axes = OPEN[kind] if exported == "dynamic" else None
        sizes: dict[str, Any] = {"dynamic_axes": axes}
        if exporter == "dynamo":
            opened = axes and tuple(dict.fromkeys(dims, torch.export.Dim.DYNAMIC) for dims in axes.values())
            sizes = {"dynamic_shapes": opened and (opened,), "external_data": False}
        try:
            with quiet():
                if attention:
                    model.model.set_attn_implementation(attention)
                torch.onnx.export(
                    model, inputs, file, input_names=list(OPEN[kind]), dynamo=exporter == "dynamo", **sizes
                )
            check(model, file, samples)
        except Exception as error:  # exporters raise whatever the model's code does
            why = why or f"{exported}, {attention or 'fused'} attention: {one_line(error)}"
        else:
            return exported, why
    return "no", why


def check(model: Any, file: Path, samples: Sequence[Feed]) -> None:
    """Raises ValueError unless the export computes what torch computes."""
    session = Session(file)
    for feed in samples:
        with torch.no_grad():
            wanted = [output.numpy() for output in model(*map(torch.from_numpy, feed.values()))]
        for one, other in zip(wanted, session.run(feed), strict=True):
            if one.shape != other.shape or np.abs(one - other).max() > MAX_DEVIATION * np.abs(one).max():
                raise ValueError(f"export computes something else at {[array.shape for array in feed.values()]}")


def compiled(row: Row, file: Path, samples: Sequence[Feed]) -> Row:
    """Compile an export; load the result and hold it against the float model on samples of its own."""
    row = replace(row, nodes=len(onnx.load(file).graph.node))
    calib = samples[:SAMPLES] if row.calibration == "data" else None
    try:
        result = qcompile.compile(file, calib=calib)
        out = file.with_suffix(".int8.onnx")
        result.save(out)
        reference, session = Session(file), Session(out)
        comparison = Comparison(session.outputs)
        for feed in samples[SAMPLES:]:
            comparison.update(reference.run(feed), session.run(feed))
    except Exception as error:  # a crash is an outcome
        return replace(row, error=one_line(error))
    work = sum(node.macs for node in result.operators)
    return replace(
        row,
        integer_share=sum(node.macs for node in result.operators if node.integer) / max(work, 1),
        sqnr_db=min(output.sqnr_db for output in comparison.result()),
        size_ratio=out.stat().st_size / file.stat().st_size,
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters print pages."""
    logging.disable(logging.CRITICAL)
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def one_line(error: BaseException) -> str:
    """The kind of the first error of a chain, and its first line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"


def main() -> None:
    """Print a line for every export and compile, and how many are good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ARCHITECTURE", help=", ".join(ARCHITECTURES))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    given = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Row] = []
    print("architecture     exporter calib exported nodes int%w SQNR/dB size  error")
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.names or ARCHITECTURES:
            for row in rows(name, given.keep or Path(scratch)):
                found.append(row)
                print(
                    f"{row.architecture:16} {row.exporter:8} {row.calibration:5} {row.exported:8} {row.nodes:5} "
                    f"{100 * row.integer_share:5.1f} {row.sqnr_db:7.1f} {row.size_ratio:4.2f}  {row.error[:150]}",
                    flush=True,
                )
    exported = [row for row in found if row.exported != "no"]
    print(f"{sum(row.is_good for row in exported)} of {len(exported)} compile, load and reach {MIN_SQNR_DB:.0f} dB")
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
