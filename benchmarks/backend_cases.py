"""The models that the `onnx` package ships or generates to test runtimes, with their inputs and expected outputs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, OptionalProto, SequenceProto, TensorProto, numpy_helper
from onnx.backend.test.loader import DATA_DIR

FOLDERS = ("simple", "pytorch-operator", "pytorch-converted", "light")
NODES, WEIGHTS = "node", "node-weights"
SUITES = (*FOLDERS, NODES, WEIGHTS)

_RELEASED_OPSET = 26
"""Newest opset that runtimes load; the generator stamps what changed since, if only in the types that it takes."""


@dataclass(frozen=True)
class Case:
    """One model. `expected` is what the package says of its outputs, () where it says nothing."""

    suite: str
    name: str
    model: Path | ModelProto
    feeds: tuple[dict[str, Any], ...]
    expected: tuple[Sequence[Any], ...]


def cases(suites: Sequence[str] = SUITES) -> Iterator[Case]:
    """All cases of the suites, in the order of their names."""
    for suite in suites:
        if suite == NODES:
            yield from _node_cases()
        elif suite == WEIGHTS:
            yield from filter(None, map(_with_weights, _node_cases()))
        elif suite == "light":
            yield from (_light_case(path) for path in sorted(Path(DATA_DIR, suite).glob("*.onnx")))
        else:
            yield from (_folder_case(suite, path) for path in sorted(Path(DATA_DIR, suite).glob("*/model.onnx")))


def _folder_case(suite: str, path: Path) -> Case:
    model = onnx.load(path)
    feeds, expected = [], []
    for data in sorted(path.parent.glob("test_data_set_*")):
        values = [_read(file, value) for file, value in zip(_numbered(data, "input"), model.graph.input, strict=False)]
        feeds.append(dict(zip(_names(model), values, strict=False)))
        files = zip(_numbered(data, "output"), model.graph.output, strict=True)
        expected.append([_read(file, value) for file, value in files])
    return Case(suite, path.parent.name.removeprefix("test_"), path, tuple(feeds), tuple(expected))


def _light_case(path: Path) -> Case:
    """Large nets whose weights are computed constants; the input is the ramp that the package's own runner feeds."""
    model = onnx.load(path)
    feed = {}
    for value in model.graph.input:
        if value.name in _names(model):
            shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            size = int(np.prod(shape))
            feed[value.name] = (np.arange(size).reshape(shape) / size).astype(np.float32)
    outputs = zip(_numbered(path.parent, f"{path.stem}_output"), model.graph.output, strict=True)
    return Case("light", path.stem.removeprefix("light_"), path, (feed,), ([_read(*output) for output in outputs],))


def _node_cases() -> Iterator[Case]:
    with warnings.catch_warnings():  # the generators divide by zero on purpose
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases(None)
    for case in sorted(found, key=lambda case: str(case.name)):
        assert case.model is not None and case.data_sets is not None
        feeds = [dict(zip(_names(case.model), map(_plain, inputs), strict=False)) for inputs, _ in case.data_sets]
        expected = [[_plain(output) for output in outputs] for _, outputs in case.data_sets]
        yield Case(NODES, case.name.removeprefix("test_"), case.model, tuple(feeds), tuple(expected))


def _with_weights(case: Case) -> Case | None:
    """The case with all inputs but the first as weights, as real models have them, in an opset that runtimes load.

    None where that is no other case.
    """
    assert isinstance(case.model, ModelProto)
    feed = case.feeds[0]
    first, *others = feed or [""]
    if not others or not all(isinstance(feed[name], np.ndarray) for name in others):
        return None
    model = ModelProto()
    model.CopyFrom(case.model)
    model.graph.initializer.extend(numpy_helper.from_array(feed[name], name) for name in others)
    inputs = [value for value in model.graph.input if value.name not in others]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = min(entry.version, _RELEASED_OPSET)
    return Case(WEIGHTS, case.name, model, ({first: feed[first]},), case.expected)


def _names(model: ModelProto) -> list[str]:
    """The inputs that a feed gives."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in weights]


def _numbered(folder: Path, stem: str) -> list[Path]:
    numbered = re.compile(rf"{re.escape(stem)}_(\d+)\.pb")
    matches = ((numbered.fullmatch(path.name), path) for path in folder.glob(f"{stem}_*.pb"))
    return [path for _, path in sorted((int(match[1]), path) for match, path in matches if match)]


def _read(file: Path, value: onnx.ValueInfoProto) -> Any:
    content = file.read_bytes()
    match value.type.WhichOneof("value"):
        case "sequence_type":
            return _plain(SequenceProto.FromString(content))
        case "optional_type":
            return _plain(OptionalProto.FromString(content))
        case _:
            return _plain(TensorProto.FromString(content))


def _plain(value: Any) -> Any:
    """Arrays, lists of arrays, or None."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, OptionalProto):
        return numpy_helper.to_optional(value)
    if isinstance(value, list) or value is None:
        return value
    return np.asarray(value)
