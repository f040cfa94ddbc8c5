"""What all sessions of one job have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from qcompile.errors import QCompileError
from qcompile.runtime.library import ort


@dataclass(frozen=True)
class Runtime:
    """How sessions are made, the same for all of one job."""

    threads: int = 1
    custom_ops: Path | None = None
    """A library that gives onnxruntime the operators of other domains."""
    prepack: bool = True
    """Whether kernels may keep their weights packed as well: faster, at the price of a second copy in memory."""

    def session_options(self) -> ort.SessionOptions:
        """Fresh options. Raises QCompileError in one line if the library is missing or onnxruntime refuses it."""
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        if not self.prepack:
            options.add_session_config_entry("session.disable_prepacking", "1")
        if self.custom_ops is not None:
            _register(options, self.custom_ops)
        return options


ONE_THREAD = Runtime()


def _register(options: ort.SessionOptions, library: Path) -> None:
    if not library.is_file():
        raise QCompileError(f"no custom operator library at {library} (no such file); check the path")
    try:
        options.register_custom_ops_library(str(library.resolve()))  # a bare name would be searched for elsewhere
    except Exception as error:  # the bindings raise a dozen unrelated types
        raise QCompileError(
            f"onnxruntime refuses custom operator library {library} ({one_line(error)}); "
            "build it for this platform and onnxruntime"
        ) from error


_POSITION = (
    r"\S*/\S+\.(?:cc|h):\d+ (?:\w+ (?=\w+::))?[\w:~<>]+"  # file, line, type of the result, function
    r"(?:\([^()]*\)(?:::<lambda\([^()]*\)>)?(?: const)?(?: \[with [^\]]*\])?)? "  # arguments, where they are given
)


def one_line(error: BaseException) -> str:
    """The runtime's message without its prefix, source positions and line breaks."""
    text = re.sub(r"\s+", " ", str(error))
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(_POSITION, "", text)
    return text[:300].strip()
