"""onnxruntime as it is imported here: without telemetry, and silent but for what it raises."""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, on import

import onnxruntime as ort

ort.set_default_logger_severity(4)  # what logs outside of sessions, which have options of their own
ort.disable_telemetry_events()  # where something else imported it first

__all__ = ["ort"]
