"""Recipes: ordered rules in TOML that say what is decided for which nodes; every error names file and line."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from qcompile.errors import RecipeError
from qcompile.plan.plan import Form
from qcompile.quant import OBSERVERS


@dataclass(frozen=True)
class Rule:
    """What to do (the keys from `precision` on) with the nodes that all of its other keys match."""

    file: str
    lines: Mapping[str, int]
    """Line of every key; that of the rule itself under an empty one."""
    name: re.Pattern[str] | None = None
    """Found in the node's name."""
    op: tuple[str, ...] = ()
    """Op types."""
    between: tuple[str, str] | None = None
    """Two values: the nodes on all paths from the first to the second."""
    plan: Mapping[str, Form] | None = None
    """Forms by node name, as lines of a saved plan have them: which nodes, and what they become."""
    precision: str | None = None
    """`float`, or `int8`: no search for accuracy or speed may make it float."""
    skip: bool | None = None
    """Float, with weights left as they are."""
    symmetric: bool | None = None
    """Whether the codes of what the node makes have zero in their middle."""
    granularity: str | None = None
    """Scales of the weights: `per-channel` or `per-tensor`."""
    observer: str | None = None
    """Name of the built-in observer that gives the ranges of what the node makes."""

    def at(self, key: str = "") -> str:
        """FILE:LINE of a key, or of the rule."""
        return f"{self.file}:{self.lines[key]}"

    def __str__(self) -> str:
        """The keys that match, as they may stand in an error."""
        shown = {"name": self.name.pattern if self.name else None, "op": self.op, "between": self.between}
        words = [f"{key} {', '.join((v,) if isinstance(v, str) else v)}" for key, v in shown.items() if v]
        return "; ".join([*words, *(self.plan or ())])


@dataclass(frozen=True)
class Recipe:
    """Rules in order: of two that say different things of a node, the later one wins."""

    rules: tuple[Rule, ...]


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe file. Raises RecipeError in one line, with the line of the file where it has one."""
    try:
        return parse_recipe(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read recipe {path} ({error})") from error


def parse_recipe(text: str, file: str = "the recipe") -> Recipe:
    """Read a recipe from TOML text; `file` is what errors call it. Raises RecipeError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why, line = _syntax_error(str(error), text)
        raise RecipeError(f"no TOML in {file}:{line} ({why}); mend that line") from error
    for key in sorted(data.keys() - {"rule"}):
        line = next((n for n, code in _code_lines(text) if re.match(rf"[\s\[\"']*{re.escape(key)}\b", code)), 1)
        _refuse(f"unknown key {key!r}", f"{file}:{line}", "a recipe holds rules alone", "begin each with [[rule]]")
    rules, lines = data.get("rule", []), list(_lines_of_rules(text))
    if not rules or len(rules) != len(lines):
        raise RecipeError(f"no [[rule]] in {file} (a recipe is a list of them); begin each with a line [[rule]]")
    return Recipe(tuple(_rule(table, file, at) for table, at in zip(rules, lines, strict=True)))


def _rule(table: Mapping[str, Any], file: str, lines: Mapping[str, int]) -> Rule:
    lines = {key: lines.get(key, lines[""]) for key in ("", *table)}  # a dotted key stands on no line of its own
    given = {key: _checked(key, value, f"{file}:{lines[key]}") for key, value in table.items()}
    here = f"{file}:{lines['']}"
    for keys in _EXCLUSIVE:
        both = [key for key in keys if key in given]
        if len(both) > 1:
            _refuse(f"{both[0]} beside {both[1]}", here, "one says what the other says", "drop one")
    if given.keys() <= {"name", "op", "between"}:
        _refuse("rule that asks for nothing", here, f"it has none of {', '.join(list(_KEYS)[3:])}", "add one")
    return Rule(file, lines, **given)


def _checked(key: str, value: Any, where: str) -> Any:
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, 1)
        remedy = f"write {near[0]}" if near else "drop it"
        _refuse(f"unknown key {key!r}", where, f"a rule has {', '.join(_KEYS)}", remedy)
    try:
        return _KEYS[key](value)
    except ValueError as error:
        _refuse(f"bad {key} {value!r}", where, str(error), "mend that line")


def _refuse(what: str, where: str, why: str, remedy: str) -> NoReturn:
    raise RecipeError(" ".join(f"{what} in {where} ({why}); {remedy}".split()))


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(_text(value))
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it is a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("it is a text or a list of texts")
    return tuple(texts)


def _two_values(value: Any) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("it is a list of two names of values")
    return _text(value[0]), _text(value[1])


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise ValueError(f"it is {', '.join(words[:-1])} or {words[-1]}")
        return str(value)

    return check


def _forms(value: Any) -> dict[str, Form]:
    """The entries of `nodes` in a plan file, pasted as they stand there; a comma at the end is no matter."""
    try:
        pasted = json.loads("{" + _text(value).strip().rstrip(",") + "}")
        forms = {name: Form(entry["form"]) for name, entry in pasted.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("it is a line of `nodes` in a saved plan, in triple quotes") from error
    if not forms:
        raise ValueError("it is empty")
    return forms


_KEYS: dict[str, Callable[[Any], Any]] = {
    "name": _pattern,
    "op": _texts,
    "between": _two_values,
    "plan": _forms,
    "precision": _one_of("float", "int8"),
    "skip": _flag,
    "symmetric": _flag,
    "granularity": _one_of("per-channel", "per-tensor"),
    "observer": _one_of(*OBSERVERS),
}
"""What a rule may hold, and how each value is read; the first three only match."""

_EXCLUSIVE = (("plan", "precision", "skip"), ("plan", "name"), ("plan", "op"), ("plan", "between"))

_NO_CODE = re.compile(
    r'"""(?:\\.|.)*?"""|\'\'\'.*?\'\'\'|(?P<kept>"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')|#[^\n]*', re.DOTALL
)
"""Comments and texts of several lines, where a header or a key would be none; texts of one line keep such marks."""


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    code = _NO_CODE.sub(lambda found: found["kept"] or "\n" * found[0].count("\n"), text)
    return enumerate(code.split("\n"), 1)


def _lines_of_rules(text: str) -> Iterator[dict[str, int]]:
    """Where each rule and its keys stand, which tomllib does not tell."""
    lines: dict[str, int] | None = None
    for number, code in _code_lines(text):
        if re.match(r"\s*\[\[\s*rule\s*\]\]", code):
            if lines is not None:
                yield lines
            lines = {"": number}
        elif lines is not None and (key := re.match(r"""\s*["']?([\w-]+)["']?\s*=""", code)):
            lines.setdefault(key[1], number)
    if lines is not None:
        yield lines


def _syntax_error(said: str, text: str) -> tuple[str, int]:
    """What tomllib says, and the line that it says it of."""
    why, _, place = said.rpartition(" (at ")
    line = re.match(r"line (\d+)", place)
    return why or said, int(line[1]) if line else len(text.splitlines())
