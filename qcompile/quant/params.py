"""Scale and zero point: the affine map x = scale * (q - zero_point), and how a range becomes one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from qcompile.quant.scheme import Scheme

SCALE_FLOOR = 2.0**-63
"""Smallest scale. The product of two scales, which is the scale of a bias, is then still a normal float32 (2**-126);
below that a runtime that flushes denormals would see a zero scale."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
_CHUNK = 1 << 20
"""Elements that are quantized at a time."""

ZERO_POINT_DTYPES = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int32))


@dataclass(frozen=True, eq=False)
class QuantParams:
    """The map between real numbers and integer codes; compares and hashes by value.

    Attributes:
        scale: float32, shape () or (C,), positive.
        zero_point: uint8, int8 or int32 (int32 is for biases), same shape as `scale`.
        axis: axis of the tensor that the C entries belong to; None if and only if the shape is ().

    Raises:
        ValueError: types, shapes or values are not as above.
    """

    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[Any]
    axis: int | None = None

    def __post_init__(self) -> None:
        scale, zero_point = np.array(self.scale), np.array(self.zero_point)
        if scale.dtype != np.float32:
            raise ValueError(f"scale has type {scale.dtype}; it must be float32")
        if zero_point.dtype not in ZERO_POINT_DTYPES:
            raise ValueError(f"zero point has type {zero_point.dtype}; it must be uint8, int8 or int32")
        if scale.shape != zero_point.shape:
            raise ValueError(f"scale has shape {scale.shape}, zero point {zero_point.shape}; they must be equal")
        if scale.ndim != (0 if self.axis is None else 1):
            raise ValueError(f"scale has shape {scale.shape} with axis {self.axis}")
        if self.axis is not None and self.axis < 0:
            raise ValueError(f"axis is {self.axis}; it must not be negative")
        if not np.all(np.isfinite(scale) & (scale > 0)):
            raise ValueError("a scale is not finite and positive")
        for name, array in (("scale", scale), ("zero_point", zero_point)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def _key(self) -> tuple[object, ...]:
        scale, zero_point = self.scale, self.zero_point
        return (scale.shape, scale.tobytes(), zero_point.dtype.str, zero_point.tobytes(), self.axis)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, QuantParams) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    @property
    def qmin(self) -> int:
        """Lowest code of the type."""
        return int(np.iinfo(self.zero_point.dtype).min)

    @property
    def qmax(self) -> int:
        """Highest code of the type."""
        return int(np.iinfo(self.zero_point.dtype).max)

    @property
    def real_range(self) -> tuple[float, float]:
        """Lowest and highest real value that has a code. Raises ValueError if there is a channel axis."""
        if self.axis is not None:
            raise ValueError("a range per channel has no single real_range")
        scale, zero_point = float(self.scale), int(self.zero_point)
        return (self.qmin - zero_point) * scale, (self.qmax - zero_point) * scale

    def spread(self, per_channel: npt.NDArray[Any], ndim: int) -> npt.NDArray[Any]:
        """`scale` or `zero_point` (or anything of that shape), shaped to broadcast against a tensor of `ndim` axes.

        Raises:
            ValueError: the tensor has no such axis.
        """
        if self.axis is None:
            return per_channel
        if self.axis >= ndim:
            raise ValueError(f"the channel axis is {self.axis}, but the tensor has {ndim} axes")
        shape = [1] * ndim
        shape[self.axis] = -1
        return per_channel.reshape(shape)

    def quantize(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """rint(x / scale) + zero_point, half to even, saturating; the float32 division of QuantizeLinear.

        Args:
            x: any shape; taken as float32.
        """
        x = np.asarray(x)
        scale, zero_point = self.spread(self.scale, x.ndim), self.spread(self.zero_point, x.ndim)
        codes = np.empty(x.shape, self.zero_point.dtype)
        for rows in _rows(x.shape):
            own = rows if self.axis == 0 else ...
            with np.errstate(over="ignore", under="ignore"):
                steps = np.rint(x[rows].astype(np.float32) / scale[own])
            # numpy adds int32 in float64, as it must be: the limits of int32 are no float32 numbers
            codes[rows] = np.clip(steps + zero_point[own], self.qmin, self.qmax)
        return codes

    def dequantize(self, q: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """float32(q - zero_point) * scale, any shape."""
        centred = q.astype(np.int64 if q.dtype.itemsize > 1 else np.int16) - self.spread(self.zero_point, q.ndim)
        with np.errstate(under="ignore"):
            return np.asarray(centred.astype(np.float32) * self.spread(self.scale, q.ndim), np.float32)

    def fake_quantize(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """What is left of `x` after quantizing and dequantizing, float32."""
        return self.dequantize(self.quantize(x))


def _rows(shape: tuple[int, ...]) -> Iterator[slice | EllipsisType]:
    """The first axis in pieces, so that the steps of a large tensor need little memory."""
    if not shape:
        yield ...
        return
    step = max(1, _CHUNK // max(1, math.prod(shape[1:])))
    yield from (slice(start, start + step) for start in range(0, shape[0], step))


def params_from_range(low: float, high: float, scheme: Scheme) -> QuantParams:
    """Parameters of a whole tensor whose values lie in [low, high].

    The range is widened to contain zero, which gets a code of its own, so every value in it is off by at most half a
    step (Jacob et al. 2018, arXiv 1712.05877, section 3). The range [0, 0] gets scale 1. Scales stay above
    `SCALE_FLOOR`, and low enough that no code dequantizes to infinity.

    Raises:
        ValueError: the range is empty or not finite.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"[{low}, {high}] is no range of finite numbers")
    low, high = max(min(low, 0.0), -FLOAT32_MAX), min(max(high, 0.0), FLOAT32_MAX)
    scale = max(float(np.float32(scheme.step(low, high))), SCALE_FLOOR) if low < high else 1.0
    zero_point = 0 if scheme.symmetric else round(scheme.qmin - low / scale)
    largest_code = max(zero_point - scheme.qmin, scheme.qmax - zero_point)
    return QuantParams(_finite_scale(scale, largest_code), np.asarray(zero_point, scheme.numpy_dtype))


def _finite_scale(scale: float, steps: int) -> npt.NDArray[np.float32]:
    """`scale`, or a float32 just below it if scale * steps would not be finite."""
    if scale * steps <= FLOAT32_MAX:
        return np.asarray(scale, np.float32)
    return np.nextafter(np.asarray(FLOAT32_MAX / steps, np.float32), np.float32(0))
