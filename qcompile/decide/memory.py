"""What the clock decided before, on disk: the same net on the same machine is not searched again.

Kept are decisions and ratios of one run, never seconds, which drift by tens of percent within minutes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from qcompile.decide.accuracy import Choice
from qcompile.decide.speed import MARGIN, SpeedSearch, Timed, kept_for_speed, used_forms, with_substitutes
from qcompile.errors import QCompileError
from qcompile.ir import to_proto, without_weights, write_bytes
from qcompile.runtime import Feed, Runtime, host, version

_RULES = 3
"""Raised when the same choice becomes another model, or other forms of it may be tried: what was decided is void."""


@dataclass(frozen=True)
class Memory:
    """Remembers speed searches in a folder: by default the user's cache folder, which honours XDG_CACHE_HOME."""

    folder: Path

    @classmethod
    def default(cls) -> Memory:
        """In the user's cache folder."""
        return cls(_user_cache() / "qcompile" / "speed")

    def search(self, search: SpeedSearch, choice: Choice, key: str) -> Timed:
        """What was found before, if it still holds on the clock; else the search, whose outcome is remembered."""
        if (known := self._recall(key)) is not None:
            timed = _timed_again(search, choice, known)
            if timed.speed * MARGIN >= known["speed"] and search.is_accurate_enough(timed.choice, choice):
                return timed
        timed = search.run(choice)
        integers = set(timed.choice.placement.unit_names)
        floats = [name for name in choice.placement.unit_names if name not in integers]
        plan = timed.choice.plan
        outcome: dict[str, Any] = {"floats": floats, "substitutes": plan.substitutes, "forms": used_forms(plan)}
        self._remember(key, outcome | {"speed": timed.speed, "given_up": timed.given_up})
        return timed

    def _recall(self, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            names = [*found["floats"], *found["substitutes"], *found["forms"]]
            numbers = [found["speed"], *([] if found["given_up"] is None else [found["given_up"]])]
            is_ours = all(isinstance(name, str) for name in names) and all(0 < number < math.inf for number in numbers)
            return found if is_ours else None
        except (OSError, ValueError, KeyError, TypeError):  # not there, or not ours: then it is searched again
            return None

    def _remember(self, key: str, outcome: Mapping[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self.folder / f"{key}.json", json.dumps(outcome).encode())
        except (OSError, QCompileError):  # a cache that cannot be written is no reason to fail
            return


def _timed_again(search: SpeedSearch, choice: Choice, known: Mapping[str, Any]) -> Timed:
    """What was found before, on the clock of today."""
    if (on_integers := known["given_up"]) is not None:
        return search.all_float(choice, known["forms"], on_integers)
    best = search.redraft(choice, kept_for_speed(choice.placement, known["floats"]))
    return search.or_floats(search.with_forms(with_substitutes(best, known["substitutes"]), known["forms"]), choice)


def _user_cache() -> Path:
    """Where the system keeps what can be made again."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given)
    home = Path.home()
    known = {"win32": home / "AppData" / "Local", "darwin": home / "Library" / "Caches"}
    return known.get(sys.platform, home / ".cache")


def fingerprint(model: ir.Model, choice: Choice, feed: Feed, runtime: Runtime, search: SpeedSearch) -> str:
    """What a decision about speed depends on: structure, shapes, forms, threads, machine, runtime, and what is tried.

    Not on weights.
    """
    forms = {name: str(decision.form) for name, decision in sorted(choice.plan.nodes.items())}
    shapes = {name: (str(getattr(x, "dtype", "")), getattr(x, "shape", ())) for name, x in sorted(feed.items())}
    ranges = choice.plan.notes.get("calibration", "")  # without data, not everything may be given back
    machine = (runtime.threads, str(host()), version())
    tried = (list(search.forms), search.thorough, _RULES)
    depends = (forms, shapes, ranges, choice.plan.substitutes, choice.plan.segments, machine, tried)
    structure: bytes = to_proto(without_weights(model)).SerializeToString(deterministic=True)
    return hashlib.sha256(structure + json.dumps(depends, default=str).encode()).hexdigest()
