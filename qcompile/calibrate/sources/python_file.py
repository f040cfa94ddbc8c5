"""`FILE.py:FUNC`: a function that returns feeds, or measures. The only code that is run, and only when named."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, cast

from qcompile.errors import CalibrationError


class FunctionName(NamedTuple):
    """A function in a Python file."""

    file: Path
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


def function_name(text: str) -> FunctionName | None:
    """What `FILE.py:FUNC` names; None for another text."""
    found = re.fullmatch(r"(.+\.py):([^\W\d]\w*)", text)
    return FunctionName(Path(found[1]), found[2]) if found else None


def call(name: FunctionName) -> Iterator[object]:
    """Run the file, call the function, and give what it returns one by one.

    Raises CalibrationError in one line where the file or the function fails, also later, between samples.
    """
    function = _function(name, "data", "returns feeds")
    try:
        made = function()
    except (Exception, SystemExit) as error:
        raise CalibrationError(f"{name} failed ({_line(error)})") from error
    if not isinstance(made, Iterable):
        raise CalibrationError(f"{name} returned no feeds ({type(made).__name__}); return an iterable of dicts")
    return _guarded(made, name)


def named_function(text: str, what: str, does: str) -> Callable[..., object]:
    """The function that `FILE.py:FUNC` names, once the file was run; `what` it is for and what it `does`, for errors.

    Raises CalibrationError in one line.
    """
    name = function_name(text)
    if name is None:
        raise CalibrationError(f"no {what} in {text!r} (it is no FILE.py:FUNC); name a function that {does}")
    return _function(name, what, does)


def _function(name: FunctionName, what: str, does: str) -> Callable[..., object]:
    function = getattr(_run(name, what), name.function, None)
    if not callable(function):
        raise CalibrationError(f"no function {name.function!r} in {name.file}; define one that {does}")
    return cast(Callable[..., object], function)


def _run(name: FunctionName, what: str) -> ModuleType:
    module = ModuleType(f"qcompile_{what}_{name.file.stem}")
    module.__file__ = str(name.file)
    # Compiled here rather than imported: an import would leave a cache folder beside the user's file.
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(name.file.read_bytes(), str(name.file), "exec"), vars(module))
    except OSError as error:
        raise CalibrationError(f"no {what} in {name} ({_line(error)}); check the path") from error
    except (Exception, SystemExit) as error:
        raise CalibrationError(f"{name.file} failed ({_line(error)})") from error
    return module


def _guarded(made: Iterable[object], name: FunctionName) -> Iterator[object]:
    number = 0
    try:
        for sample in made:
            yield sample
            number += 1
    except CalibrationError:
        raise
    except (Exception, SystemExit) as error:
        raise CalibrationError(f"{name} failed at sample {number} ({_line(error)})") from error


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
