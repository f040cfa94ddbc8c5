"""qcompile: any float ONNX model in, an int8 model that is right, faster and explained out."""

from __future__ import annotations

__version__ = "0.1.0"
