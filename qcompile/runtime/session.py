"""Sessions: the only door to onnxruntime. Whatever it refuses comes back as one line."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

from qcompile.errors import ModelError
from qcompile.ir import graphs, has_external_data, save_model, to_proto, weight_bytes

Feed = Mapping[str, np.ndarray]
Runnable = ir.Model | onnx.ModelProto | bytes | Path

_SERIALIZED_LIMIT = 2**30
"""Bytes of weights beyond which a model is handed over through a temporary file instead of memory."""


class Session:
    """A model loaded in onnxruntime. `optimize=False` runs the graph as it is written."""

    def __init__(
        self,
        model: Runnable,
        *,
        optimize: bool = True,
        threads: int = 1,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        config: Mapping[str, str] | None = None,
        optimized_path: Path | None = None,
        profile_prefix: Path | None = None,
    ) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        for key, value in (config or {}).items():
            options.add_session_config_entry(key, value)
        if optimized_path is not None:
            options.optimized_model_filepath = str(optimized_path)
        if profile_prefix is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile_prefix)
        available = [p for p in providers if p in ort.get_available_providers()]
        try:
            with _loadable(model) as source:
                self._session = ort.InferenceSession(
                    source, options, providers=[*available] or ["CPUExecutionProvider"]
                )
        except Exception as error:  # the bindings raise a dozen unrelated types
            raise ModelError(f"onnxruntime refuses the model ({one_line(error)})") from error
        self.outputs = [o.name for o in self._session.get_outputs()]
        self.inputs = [i.name for i in self._session.get_inputs()]

    def run(self, feed: Feed) -> list[np.ndarray]:
        """Outputs in the model's order. Raises ModelError in one line."""
        try:
            return list(self._session.run(None, dict(feed)))
        except Exception as error:  # as above
            raise ModelError(f"onnxruntime cannot run the model ({one_line(error)})") from error

    def end_profile(self) -> Path:
        """Stop profiling and return the file with the events."""
        return Path(self._session.end_profiling())


@contextmanager
def _loadable(model: Runnable) -> Iterator[str | bytes]:
    """What the runtime loads the model from: a file, or its bytes."""
    if isinstance(model, Path):
        yield str(model)
    elif isinstance(model, bytes):
        yield model
    elif isinstance(model, onnx.ModelProto):
        yield bytes(model.SerializeToString())
    elif weight_bytes(model) < _SERIALIZED_LIMIT:
        yield bytes(_embedded(model).SerializeToString())
    else:
        # where a file that is mapped into memory cannot be removed, it is left to the system
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "model.onnx"
            save_model(model, path)
            yield str(path)


def _embedded(model: ir.Model) -> onnx.ModelProto:
    """The proto with its external weights inside."""
    if not has_external_data(model):
        return to_proto(model)
    copy = model.clone()
    for graph in graphs(copy):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                value.const_value = ir.Tensor(value.const_value.numpy(), dtype=value.const_value.dtype, name=value.name)
    return to_proto(copy)


def one_line(error: BaseException) -> str:
    """The runtime's message without its prefix, source positions and line breaks."""
    text = re.sub(r"\s+", " ", str(error))
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"\S*/\S+\.(?:cc|h):\d+ \S+ ", "", text)
    return text[:300].strip()


def run_as_written(model: ir.Model, feed: Feed) -> list[np.ndarray]:
    """Outputs with nothing optimised: the service that passes use to prove themselves."""
    return Session(model, optimize=False).run(feed)


def version() -> str:
    """Version of onnxruntime."""
    return str(ort.__version__)
