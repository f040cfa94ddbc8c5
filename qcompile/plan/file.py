"""Plan files: JSON that can be read, compared and replayed; floats are written so that they come back bit by bit."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from qcompile.errors import PlanError
from qcompile.plan.plan import Decision, Form, Plan
from qcompile.plan.reason import Code, Reason
from qcompile.quant import QuantParams

_VERSION = 2


def dumps(plan: Plan) -> str:
    """The plan as JSON text; equal plans give equal text, whatever order their entries came in."""
    return json.dumps(
        {
            "qcompile.plan": _VERSION,
            "target": plan.target,
            "format": plan.format,
            "bits": plan.bits,
            "io_type": plan.io_type,
            "notes": dict(sorted(plan.notes.items())),
            "nodes": {name: _decision_to_json(d) for name, d in sorted(plan.nodes.items(), key=_key)},
            "values": {name: _params_to_json(p) for name, p in sorted(plan.values.items(), key=_key)},
            "migrations": dict(sorted(plan.migrations.items())),
            "bias_shifts": dict(sorted(plan.bias_shifts.items())),
            "weights": [
                {"node": n, "input": i, **_params_to_json(p)} for (n, i), p in sorted(plan.weights.items(), key=_key)
            ],
            "roundings": [
                {"node": n, "input": i, "steps": base64.b64encode(packed).decode()}
                for (n, i), packed in sorted(plan.roundings.items(), key=_key)
            ],
            "segments": dict(sorted(plan.segments.items())),
            "substitutes": list(plan.substitutes),
        },
        indent=1,
    )


def loads(text: str, where: str = "the plan") -> Plan:
    """Read a plan from JSON text. Raises PlanError, naming `where`, if it is no plan."""
    try:
        data = json.loads(text)
        if data["qcompile.plan"] != _VERSION:
            raise PlanError(f"plan version {data['qcompile.plan']} in {where} (this version reads {_VERSION})")
        return Plan(
            target=str(data["target"]),
            format=str(data["format"]),
            bits=int(data["bits"]),
            io_type=str(data["io_type"]),
            notes={str(k): str(v) for k, v in data["notes"].items()},
            nodes={name: _decision_from_json(d) for name, d in data["nodes"].items()},
            values={name: _params_from_json(p) for name, p in data["values"].items()},
            migrations={name: tuple(map(float, factors)) for name, factors in data["migrations"].items()},
            bias_shifts={name: tuple(map(float, shift)) for name, shift in data["bias_shifts"].items()},
            weights={(w["node"], int(w["input"])): _params_from_json(w) for w in data["weights"]},
            roundings={(r["node"], int(r["input"])): base64.b64decode(r["steps"]) for r in data["roundings"]},
            segments={str(name): int(count) for name, count in data["segments"].items()},
            substitutes=tuple(map(str, data["substitutes"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise PlanError(f"no readable plan in {where} ({why}); write one with --save-plan") from error


def load(path: str | Path) -> Plan:
    """Read a plan file. Raises PlanError in one line."""
    try:
        return loads(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"cannot read plan {path} ({error})") from error


def sha256(plan: Plan) -> str:
    """Fingerprint of the decisions, for the metadata of the result."""
    return hashlib.sha256(dumps(plan).encode()).hexdigest()


def _key(entry: tuple[Any, object]) -> Any:
    return entry[0]


def _decision_to_json(decision: Decision) -> dict[str, str]:
    reason = decision.reason
    said = {"reason": str(reason.code), "detail": reason.detail} if reason else {}
    return {"form": str(decision.form), **said}


def _decision_from_json(data: dict[str, str]) -> Decision:
    reason = Reason(Code(data["reason"]), data.get("detail", "")) if "reason" in data else None
    return Decision(Form(data["form"]), reason)


def _params_to_json(params: QuantParams) -> dict[str, Any]:
    return {
        "dtype": str(params.zero_point.dtype),
        "scale": params.scale.astype(np.float64).tolist(),  # exact: every float32 is a float64, written shortest
        "zero_point": params.zero_point.tolist(),
        "axis": params.axis,
    }


def _params_from_json(data: dict[str, Any]) -> QuantParams:
    return QuantParams(
        scale=np.asarray(data["scale"], np.float32),
        zero_point=np.asarray(data["zero_point"], np.dtype(data["dtype"])),
        axis=None if data["axis"] is None else int(data["axis"]),
    )
