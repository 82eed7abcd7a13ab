"""The logicle scale: nearly linear about zero, logarithmic above, with a stated number of decades.

Moore WA, Parks DR. Cytometry A 2012;81A:273-277 (also GatingML 2.0, section 6.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array, check_width

__all__ = ["Logicle", "solve_d"]

_TABLE = 4097
_SHIFT = np.uint32(23 - 10)  # 1,024 lines an octave


@dataclass(frozen=True)
class Logicle:
    """The logicle scale in units of 0 to M decades.

    T: top of scale, in linear units. W: decades of the linear part. M: decades of the whole. A: further
    decades below zero. Raises ValueError where 0 <= 2W <= M and -W <= A <= M - 2W do not hold.

    >>> Logicle(T=262144).forward(np.array([0.0, 262144.0])).round(6).tolist()
    [0.5, 4.5]
    """

    T: float = 262144.0
    W: float = 0.5
    M: float = 4.5
    A: float = 0.0

    def __post_init__(self) -> None:
        check_width("logicle", self.T, self.W, self.M, self.A, lambda: self._coefficients, zero_width=True)

    @cached_property
    def _coefficients(self) -> tuple[float, float, float, float, float, float]:
        """a, b, c, d, f of B(y) = a e^(by) - c e^(-dy) + f on y from 0 to 1, and y where B is 0."""
        w = self.W / (self.M + self.A)
        x2 = self.A / (self.M + self.A)
        x1, x0 = x2 + w, x2 + 2 * w
        b = (self.M + self.A) * math.log(10.0)
        d = solve_d(b, w)
        c_a = math.exp(x0 * (b + d))
        mf_a = math.exp(b * x1) - c_a / math.exp(d * x1)
        a = self.T / ((math.exp(b) - mf_a) - c_a / math.exp(d))
        return a, b, c_a * a, d, -mf_a * a, x1

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """B(y) and y, from zero to just above the top of the scale."""
        a, b, c, d, f, x1 = self._coefficients
        y = np.linspace(x1, 1.05, _TABLE)
        x = a * np.exp(b * y) - c * np.exp(-d * y) + f
        x[0] = 0.0
        return x, y

    @property
    def _lines(self) -> tuple[float, np.uint32, Array, Array, float]:
        return _lines_of(self)

    def _make_lines(self) -> tuple[float, np.uint32, Array, Array, float]:
        """An offset, the first key, and for each key a line of |x| + offset near the curve: y at 0 and slope; and
        the largest x of them.

        The key of x is the upper bits of |x| + offset in float32. The offset is an eighth of where the scale turns
        from a line to a logarithm, so that no line is long on it.
        """
        x, y = self._table
        a, b, c, d, _, x1 = self._coefficients
        turn = (
            a * b * math.exp(b * x1) + c * d * math.exp(-d * x1)
        ) / b  # there a line and a logarithm rise alike
        offset = float(np.exp2(np.round(np.log2(turn)) - 3))
        first, last = np.array([offset, x[-1] + offset], dtype=np.float32).view(np.uint32) >> _SHIFT
        ends = (
            (np.arange(int(first), int(last) + 2, dtype=np.uint32) << _SHIFT).view(np.float32).astype(np.float64)
        )
        size = np.clip(ends - offset, 0.0, x[-1])
        at = np.interp(size, x, y)
        for _ in range(3):
            at = self._halley(at, size)
        slope = np.diff(at) / np.diff(ends)
        return offset, first, at[:-1] - slope * ends[:-1], slope, float(x[-1])

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Display units: the root of B(y) = |x|, mirrored about zero where x is negative.

        A table gives the start and one step of Halley's method brings it to the precision of float64. Each
        value goes its own way, so that what stands beside it changes no bit of the result.
        """
        x = np.asarray(values, dtype=np.float64)
        size = np.abs(x).reshape(-1)
        finite = np.isfinite(size)
        size[~finite] = 0.0
        a, b, c, d, f, x1 = self._coefficients
        offset, first, at_zero, slope, end = self._lines
        above = np.minimum(size, end) + offset
        keys = (above.astype(np.float32).view(np.uint32) >> _SHIFT) - first
        y = at_zero[keys] + slope[keys] * above
        beyond = np.flatnonzero(size > end)
        if len(beyond):
            far = size[beyond]
            start = np.log((far - f + c * math.exp(-d)) / a) / b
            for _ in range(3):
                start = self._halley(start, far)
            y[beyond] = start
        y = self._halley(y, size).reshape(x.shape)
        y = np.where(x < 0, 2.0 * x1 - y, y) * self.M
        return y if finite.all() else np.where(np.isfinite(x), y, x)

    def _halley(self, y: Array, x: Array) -> Array:
        """One step of Halley's method towards B(y) = x."""
        a, b, c, d, f, _ = self._coefficients
        rise, fall = a * np.exp(b * y), c * np.exp(-d * y)
        miss = (rise - fall + f) - x
        slope = b * rise + d * fall
        curve = b * b * rise - d * d * fall
        return y - miss / (slope - miss * curve / (2.0 * slope))

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values."""
        a, b, c, d, f, x1 = self._coefficients
        y = np.asarray(display, dtype=np.float64) / self.M
        above = np.where(y < x1, 2.0 * x1 - y, y)
        size = a * np.exp(b * above) - c * np.exp(-d * above) + f
        return np.where(y < x1, -size, size)

    def describe(self) -> dict[str, Any]:
        """T, W, M and A."""
        return {"logicle": {"T": self.T, "W": self.W, "M": self.M, "A": self.A}}


@lru_cache(maxsize=256)
def _lines_of(scale: Logicle) -> tuple[float, np.uint32, Array, Array, float]:
    """Of equal scales once: each sample has its own."""
    return scale._make_lines()


def solve_d(b: float, w: float) -> float:
    """The root d of 2 (ln d - ln b) + w (b + d) = 0, 0 < d <= b, by bisection to the last bit."""
    if w == 0:
        return b
    low, high = 0.0, b
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if 2.0 * (math.log(middle) - math.log(b)) + w * (b + middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
