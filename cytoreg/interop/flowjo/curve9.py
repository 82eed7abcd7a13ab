"""The biexponential that made a table of FlowJo 9: found from the table, and only where it gives the table again."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cytoreg.transforms import Biexponential

__all__ = ["curve_of"]

Array = npt.NDArray[np.float64]
_DIGITS = 2e-6  # the tables are float32, written with eight digits


@lru_cache(maxsize=128)
def curve_of(text: str) -> Biexponential | None:
    """The curve of a table `channel,value,channel,value,...`; None where no biexponential gives it.

    Of a table without further negative decades all that matters is the channel of zero, the decades, and the top;
    the width is found so that the ends are in the ratio that they have in the table.
    """
    try:
        numbers = np.array([float(word) for word in text.replace("\n", " ").split(",") if word.strip()])
    except ValueError:
        return None
    channels, values = numbers[: len(numbers) // 2 * 2 : 2], numbers[1::2]
    n = len(channels) - 1
    if n < 16 or not np.array_equal(channels, np.arange(n + 1)) or not (np.diff(values) > 0).all():
        return None
    if not values[0] < 0 < values[-1]:
        return None
    zero = float(np.interp(0.0, values, channels))
    if not math.isclose(zero, round(zero), abs_tol=1e-3) or round(zero) < 1:
        return None
    wanted = values[0] / values[-1]
    low, high = 1e-3, 3.0
    for _ in range(100):
        middle = (low + high) / 2
        ends = _curve(middle, round(zero), n, 1.0).inverse(np.array([0.0, n]))
        low, high = (low, middle) if ends[0] / ends[1] > wanted else (middle, high)
    width = _nice((low + high) / 2, 3)
    found = _curve(width, round(zero), n, 1.0)
    top = _nice(float(values[-1] / found.inverse(np.array([float(n)]))[0]), 0)
    curve = _curve(width, round(zero), n, top)
    error = np.abs(curve.inverse(channels) - values)
    return curve if (error <= _DIGITS * np.maximum(np.abs(values), values[-1] * 1e-4)).all() else None


def _nice(value: float, digits: int) -> float:
    """A round number where the table's digits cannot tell it from the value."""
    near = round(value, digits)
    return near if math.isclose(value, near, rel_tol=1e-7) else value


def _curve(width: float, zero: int, n: int, top: float) -> Biexponential:
    """The curve of a width in decades whose zero is at a whole channel."""
    return Biexponential(top, width / 2 * n / (zero + 0.5), 0.0, -(10.0**width), n)
