"""The hooks behind `--print-after` and `--save-after`: the model as it is after a pass."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import onnx_ir as ir

from qcompile.errors import OutputError
from qcompile.ir import save_model
from qcompile.pipeline.context import Context
from qcompile.pipeline.passes import Pass


class PrintAfter:
    """Hands the model as ONNX text, weights left out, to `write` after each of the named passes."""

    def __init__(self, names: Collection[str], write: Callable[[str], object]) -> None:
        self._names = frozenset(names)
        self._write = write

    def __call__(self, step: Pass, model: ir.Model, context: Context) -> None:
        if step.name in self._names:
            self._write(f"# after {step.name}\n{ir.to_onnx_text(model, exclude_initializers=True)}")


class SaveAfter:
    """Saves the model after the named pass as `<number of passes that ran>-<pass>.onnx` in a folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._passes = 0

    def __call__(self, step: Pass, model: ir.Model, context: Context) -> None:
        self._passes += 1
        if step.name != self._name:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make folder {self._folder} ({error.strerror or error})") from error
        # A clone: saving declares versions, which is not for a hook to do to the model.
        save_model(model.clone(), self._folder / f"{self._passes:02}-{step.name}.onnx")
