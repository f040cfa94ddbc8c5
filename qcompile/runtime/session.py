"""Sessions: the only door to onnxruntime. Whatever it refuses comes back as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qcompile.errors import ModelError
from qcompile.runtime.library import ort
from qcompile.runtime.loadable import Runnable, loadable
from qcompile.runtime.options import ONE_THREAD, Runtime, one_line

Feed = Mapping[str, Any]
"""Input name -> array; a list of arrays where the input is a sequence, None where it is optional and absent."""

_WEIGHTS_FILE = "weights"


class Runs(Protocol):
    """What can be run: a session, or what stands before one."""

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""

    def run(self, feed: Feed) -> list[Any]:
        """Outputs in the model's order."""


class Session:
    """A model loaded in onnxruntime. `optimize=False` runs the graph as it is written."""

    def __init__(
        self,
        model: Runnable,
        runtime: Runtime = ONE_THREAD,
        *,
        optimize: bool = True,
        providers: Sequence[str] = ("CPUExecutionProvider",),
        config: Mapping[str, str] | None = None,
        optimized_path: Path | None = None,
        profile_prefix: Path | None = None,
    ) -> None:
        options = runtime.session_options()
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        for key, value in (config or {}).items():
            options.add_session_config_entry(key, value)
        if optimized_path is not None:
            options.optimized_model_filepath = str(optimized_path)
            options.add_session_config_entry("session.optimized_model_external_initializers_file_name", _WEIGHTS_FILE)
        if profile_prefix is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile_prefix)
        source = loadable(model)
        self._weights = [ort.OrtValue.ortvalue_from_numpy(array) for array in source.weights.values()]
        if source.folder is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(source.folder))
        available = [p for p in providers if p in ort.get_available_providers()]
        try:
            options.add_external_initializers(list(source.weights), self._weights)
            for name, value in zip(source.weights, self._weights, strict=True) if not optimize else ():
                options.add_initializer(name, value)  # used in place, which optimisations, such as a transposition, bar
            self._session = ort.InferenceSession(
                source.graph, options, providers=[*available] or ["CPUExecutionProvider"]
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


def run_as_written(model: Runnable, feed: Feed, runtime: Runtime = ONE_THREAD) -> list[np.ndarray]:
    """Outputs with nothing optimised: the service that passes use to prove themselves."""
    return Session(model, runtime, optimize=False).run(feed)


def version() -> str:
    """Version of onnxruntime."""
    return str(ort.__version__)
