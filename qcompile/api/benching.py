"""Benching: two models side by side, in time and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qcompile.api.batching import tiled
from qcompile.api.request import check_counts
from qcompile.api.source import OpenedSource, check_one_interface, open_source
from qcompile.calibrate import Progress, input_specs, open_feeds, synthetic_feeds
from qcompile.errors import CalibrationError, ModelError
from qcompile.ir import Source, save_model
from qcompile.plan import interface_params
from qcompile.report.bench import AGAIN, CANDIDATE, REFERENCE, BenchReport, OpTime, Timing
from qcompile.runtime import Feed, Runtime, Session, host, in_turns, op_times, peak_memory, version


def bench(
    fp32: Source,
    int8: Source,
    *,
    data: Any = None,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1,),
    rounds: int = 7,
    preprocess: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    custom_op_library: Path | None = None,
    progress: Progress | None = None,
) -> BenchReport:
    """Time two models in turns, and show where time and memory go.

    Args:
        fp32, int8: a path, a ModelProto or an onnx_ir model each; any two with the same inputs and outputs.
        data: any form of DATA, of which the first sample is run; None: a synthetic one.
        threads: numbers of threads to time with; one thread is timed by its CPU clock, several by the wall clock.
        batches: numbers of copies of the sample to put into one run, along the batch axis.
        rounds: how often every model has its turn of at least 50 ms; noise falls with it.
        preprocess: how pictures become inputs.
        input_shapes: shapes of the synthetic sample by input name.
        custom_op_library: gives onnxruntime the operators of other domains.
        progress: called with phase, done and total.

    Raises QCompileError in one line where a model or the data cannot be used, the models differ in inputs or outputs,
    or there is no batch axis for what `batches` asks.
    """
    check_counts(threads=threads, batches=batches, rounds=[rounds])
    if data is not None and input_shapes:
        raise CalibrationError("input_shapes beside data (they are for a synthetic sample only); drop one")
    sources = open_source(fp32), open_source(int8)
    check_one_interface(*sources)
    specs = input_specs(sources[0].model)
    runtimes = [Runtime(number, custom_op_library) for number in dict.fromkeys(threads)]
    if data is not None:
        sample: Feed = open_feeds(data, specs, preprocess=preprocess, max_samples=1)[0]
    else:
        sample = _synthetic(sources[0], input_shapes, runtimes[0])
    feeds = {batch: tiled(sample, specs, batch) for batch in batches}
    with ExitStack() as stack:
        models = [_Benched.of(source, Path(stack.enter_context(_folder()))) for source in sources]
        return _measure(models, runtimes, feeds, rounds, "synthetic" if data is None else "data", progress or _quiet)


@dataclass(frozen=True)
class _Benched:
    """A model as a file, which is what is run and what another process can load."""

    source: OpenedSource
    path: Path

    @classmethod
    def of(cls, source: OpenedSource, folder: Path) -> _Benched:
        if source.path is not None:
            return cls(source, source.path)
        path = folder / "model.onnx"
        save_model(source.model, path)
        return cls(source, path)

    def session(self, runtime: Runtime, feeds: Mapping[int, Feed]) -> Session:
        """A session that has run every feed once. Raises ModelError with the model's name."""
        what = self.source.name
        try:
            session = Session(self.path, runtime)
            for batch, feed in feeds.items():
                what = f"batch {batch} of {self.source.name}"
                session.run(self.taken(feed))
        except ModelError as error:
            raise ModelError(f"cannot time {what} ({error}); it must run to be timed") from error
        return session

    def taken(self, feed: Feed) -> Feed:
        """The feed, quantized for the inputs that are 8-bit."""
        params = interface_params(self.source.model.metadata_props)
        floats = {name for name, value in feed.items() if isinstance(value, np.ndarray) and value.dtype.kind == "f"}
        return {n: params[n].quantize(value) if n in params and n in floats else value for n, value in feed.items()}


def _measure(
    models: Sequence[_Benched],
    runtimes: Sequence[Runtime],
    feeds: Mapping[int, Feed],
    rounds: int,
    kind: str,
    progress: Progress,
) -> BenchReport:
    one, other = models
    first = next(iter(feeds.values()))
    timings: list[Timing] = []
    for runtime in runtimes:
        progress("time", len(timings) // 3, len(runtimes) * len(feeds))
        sessions = [(model, model.session(runtime, feeds)) for model in (one, one, other)]
        for batch, feed in feeds.items():
            runs = [partial(session.run, model.taken(feed)) for model, session in sessions]
            timings += _timings(runtime.threads, batch, in_turns(runs, threads=runtime.threads, rounds=rounds))
            progress("time", len(timings) // 3, len(runtimes) * len(feeds))
    progress("look inside", 0, None)
    ops = [op_times(model.path, model.taken(first), runtime=runtimes[0]) for model in models]
    memory = [peak_memory(model.path, model.taken(first), runtime=runtimes[0]) for model in models]
    return BenchReport(
        fp32=one.source.name,
        int8=other.source.name,
        feed=kind,
        host=str(host()),
        onnxruntime=version(),
        rounds=rounds,
        timings=tuple(timings),
        fp32_size=one.source.size,
        int8_size=other.source.size,
        fp32_memory=memory[0],
        int8_memory=memory[1],
        ops=_beside(*ops),
    )


def _timings(threads: int, batch: int, seconds: Sequence[Sequence[Sequence[float]]]) -> list[Timing]:
    """The rounds of the first model, of it again, and of the second, as figures."""
    quickest = [[min(turn) for turn in rounds] for rounds in seconds]
    found = []
    for model, rounds, best in zip((REFERENCE, AGAIN, CANDIDATE), seconds, quickest, strict=True):
        runs = np.concatenate([np.asarray(turn) for turn in rounds])
        speeds = [a / b for a, b in zip(quickest[0], best, strict=True)]
        typical, slow = (float(figure) for figure in np.percentile(runs, [50, 90]))
        shown = (1e3 * typical, 1e3 * slow, batch / typical)
        found.append(Timing(threads, batch, model, *shown, median(speeds), min(speeds), max(speeds)))
    return found


def _beside(one: Mapping[str, tuple[int, float]], other: Mapping[str, tuple[int, float]]) -> tuple[OpTime, ...]:
    absent = (0, 0.0)
    ops = (OpTime(op, *one.get(op, absent), *other.get(op, absent)) for op in {**one, **other})
    return tuple(sorted(ops, key=lambda op: (-max(op.fp32_us, op.int8_us), op.op_type)))


def _synthetic(source: OpenedSource, shapes: Mapping[str, Sequence[int]] | None, runtime: Runtime) -> Feed:
    try:
        return synthetic_feeds(source.model, input_specs(source.model), 1, 0, shapes, runtime)[0]
    except CalibrationError as error:
        raise CalibrationError(str(error).replace("--calib", "--data")) from error  # which is its name here


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qcompile-")


def _quiet(phase: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""
