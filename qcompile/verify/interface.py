"""A model with 8-bit inputs and outputs, run on floats as if it had none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qcompile.plan import interface_params
from qcompile.runtime import Feed, Session


class FloatFaced:
    """Quantizes the floats of a feed for 8-bit inputs and dequantizes 8-bit outputs, as the metadata say."""

    def __init__(self, session: Session, metadata: Mapping[str, str]) -> None:
        self.outputs = session.outputs
        self._session = session
        self._params = interface_params(metadata)

    def run(self, feed: Feed) -> list[Any]:
        """Outputs in the model's order, float32 where the model has 8-bit ones."""
        given = {name: self._entered(name, value) for name, value in feed.items()}
        results = zip(self.outputs, self._session.run(given), strict=True)
        return [self._params[n].dequantize(array) if n in self._params else array for n, array in results]

    def _entered(self, name: str, value: Any) -> Any:
        is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return self._params[name].quantize(value) if name in self._params and is_float else value
