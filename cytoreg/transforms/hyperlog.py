"""The hyperlog scale: a logarithm plus a straight line, so that it passes through zero.

Bagwell CB. Cytometry A 2005;64A:34-42, with the parameters of GatingML 2.0, section 6.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array, check_width

__all__ = ["Hyperlog"]

_TABLE = 4097


@dataclass(frozen=True)
class Hyperlog:
    """The hyperlog scale in units of 0 to M decades (GatingML's is this divided by M).

    T: top of scale, in linear units. W: decades of the about linear part. M: decades of the whole. A: further
    decades below zero. Raises ValueError where 0 < 2W <= M and -W <= A <= M - 2W do not hold.

    >>> Hyperlog(T=10000, W=1, M=4.5).forward(np.array([0.0, 10000.0])).round(6).tolist()
    [1.0, 4.5]
    """

    T: float = 262144.0
    W: float = 0.5
    M: float = 4.5
    A: float = 0.0

    def __post_init__(self) -> None:
        check_width("hyperlog", self.T, self.W, self.M, self.A, lambda: self._coefficients, zero_width=False)

    @cached_property
    def _coefficients(self) -> tuple[float, float, float, float, float]:
        """a, b, c, f of EH(y) = a e^(by) + c y - f on y from 0 to 1, and y where EH is 0."""
        w = self.W / (self.M + self.A)
        x2 = self.A / (self.M + self.A)
        x1, x0 = x2 + w, x2 + 2 * w
        b = (self.M + self.A) * math.log(10.0)
        c_a = math.exp(b * x0) / w
        f_a = math.exp(b * x1) + c_a * x1
        a = self.T / (math.exp(b) + c_a - f_a)
        return a, b, c_a * a, f_a * a, x1

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """EH(y) and y, from zero to just above the top of the scale."""
        a, b, c, f, x1 = self._coefficients
        y = np.linspace(x1, 1.05, _TABLE)
        x = a * np.exp(b * y) + c * y - f
        x[0] = 0.0
        return x, y

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Display units: the root of EH(y) = |x|, mirrored about zero where x is negative.

        A table gives the start, and steps of Halley's method bring it to the precision of float64; each value
        goes its own way.
        """
        x = np.asarray(values, dtype=np.float64)
        finite = np.isfinite(x)
        size = np.where(finite, np.abs(x), 0.0)
        a, b, _, f, x1 = self._coefficients
        table_x, table_y = self._table
        y = self._halley(np.interp(size, table_x, table_y), size)
        beyond = size > table_x[-1]
        if beyond.any():
            far = size[beyond]
            start = np.log((far + f) / a) / b
            for _ in range(6):
                start = self._halley(start, far)
            y = np.array(y)
            y[beyond] = start
        y = np.where(x < 0, 2.0 * x1 - y, y) * self.M
        return np.where(finite, y, x)

    def _halley(self, y: Array, x: Array) -> Array:
        """One step of Halley's method towards EH(y) = x."""
        a, b, c, f, _ = self._coefficients
        rise = a * np.exp(b * y)
        miss = (rise + c * y - f) - x
        slope = b * rise + c
        curve = b * b * rise
        return y - miss / (slope - miss * curve / (2.0 * slope))

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values."""
        a, b, c, f, x1 = self._coefficients
        y = np.asarray(display, dtype=np.float64) / self.M
        above = np.where(y < x1, 2.0 * x1 - y, y)
        with np.errstate(over="ignore"):
            size = a * np.exp(b * above) + c * above - f
        return np.where(y < x1, -size, size)

    def describe(self) -> dict[str, Any]:
        """T, W, M and A."""
        return {"hyperlog": {"T": self.T, "W": self.W, "M": self.M, "A": self.A}}
