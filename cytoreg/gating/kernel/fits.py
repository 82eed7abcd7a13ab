"""What placing gates asks of many events, by the compiled kernel where it is there: order statistics, counts, valleys, EM.

Each answers None where there is no kernel; the NumPy path is then the caller's. Order statistics, counts and valleys are
NumPy's to the bit; EM differs in the rounding of its sums.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.kernel.native import NotThere, library

__all__ = ["bin_counts", "em", "histogram_counts", "in_ellipses", "in_polygons", "ranked", "thin", "valleys"]

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
BUCKETS = 1 << 16
MOST_COMPONENTS = 8


def ranked(values: Array, ranks: Sequence[int]) -> list[float] | None:
    """The values of ascending ranks, as in `np.sort(values)[ranks]`. values: (n,) finite."""
    if (kernel := _kernel()) is None:
        return None
    x, at = _doubles(values), np.array(ranks, dtype=np.int64)
    found, room = np.empty(len(at)), np.empty(4 * len(x))
    kernel.cytoreg_order(_at(x), len(x), _at(at), len(at), _at(found), _at(room))
    return found.tolist()


def histogram_counts(values: Array, edges: Array) -> Counts | None:
    """Finite values between even edges, as `np.histogram` counts them, (len(edges) - 1,)."""
    if (kernel := _kernel()) is None:
        return None
    x, ends, counts = _doubles(values), _doubles(edges), np.zeros(len(edges) - 1, dtype=np.int64)
    kernel.cytoreg_histogram(_at(x), len(x), _at(ends), len(counts), _at(counts))
    return counts


def bin_counts(values: Array, low: float, per: float, bins: int) -> Counts | None:
    """Finite values whose `(value - low) * per`, cut off at both ends, is in each of so many bins, (bins,)."""
    if (kernel := _kernel()) is None:
        return None
    x, counts = _doubles(values), np.zeros(bins, dtype=np.int64)
    kernel.cytoreg_bins(_at(x), len(x), low, per, bins, _at(counts))
    return counts


def thin(x: Array, y: Array, step: int) -> Array | None:
    """Every step-th of finite points in the order of y, then x: (m, 2)."""
    if (kernel := _kernel()) is None:
        return None
    x, y, n = _doubles(x), _doubles(y), len(x)
    found = np.empty((-(-n // step), 2))
    place, room = np.empty(n + BUCKETS + 1, dtype=np.int64), np.empty(2 * n)
    kernel.cytoreg_thin(_at(x), _at(y), n, step, _at(found), _at(place), _at(room))
    return found


def em(
    z: Array, numbers: Array, expected: Array, df: float, *, steps: int, rest: float, patience: int, ridge: float
) -> tuple[Array, float, bool] | None:
    """EM from the numbers of a mixture: its numbers at rest, the mean log likelihood, and whether it came to rest.

    z: (d, n), d 1 or 2. numbers: weights (k,), means (k, d), covariances (k, d, d) in one row. expected: the same of a
    prior, with weights as events; zeros without one. patience: the step from which on it steps farther than EM.
    """
    d, n = z.shape
    k = len(numbers) // (1 + d + d * d)
    if d > 2 or k > MOST_COMPONENTS or (kernel := _kernel()) is None:
        return None
    points, found, prior, fit = _doubles(z), numbers.copy(), _doubles(expected), np.empty(1)
    done = kernel.cytoreg_em(
        _at(points), n, d, k, df, steps, rest, patience, ridge, _at(prior), _at(found), _at(fit)
    )
    return found, float(fit[0]), done > 0


def valleys(y: Array, least: float, nothing: float) -> list[list[tuple[float, float, int, int]]] | None:
    """For each row of a density its valleys from left to right: place, depth, and the peaks beside it."""
    if (kernel := _kernel()) is None:
        return None
    rows = _doubles(y)
    n = rows.shape[1]
    tops, room, found = np.empty(n, dtype=np.int64), np.empty((n // 2, 4)), []
    at, to, into = _at(rows), _at(tops), _at(room)
    for row in range(len(rows)):
        there = kernel.cytoreg_valleys(at + 8 * n * row, n, least, nothing, to, into)
        found.append([(place, depth, int(a), int(b)) for place, depth, a, b in room[:there].tolist()])
    return found


def in_ellipses(x: Array, y: Array, ellipses: Sequence[tuple[int, Array]], bits: npt.NDArray[np.uint64]) -> bool:
    """Set a bit of each of (n,) events for each ellipse that holds it; False where there is no kernel.

    ellipses: the number of the bit, and center (2), precision (4) and squared distance (1).
    """
    if (kernel := _kernel()) is None:
        return False
    x, y = _doubles(x), _doubles(y)
    at = _at(x), _at(y), len(x), _at(bits)
    for bit, ellipse in ellipses:
        kernel.cytoreg_in_ellipse(*at[:3], _at(ellipse), bit, at[3])
    return True


def in_polygons(x: Array, y: Array, polygons: Sequence[tuple[int, Array]], bits: npt.NDArray[np.uint64]) -> bool:
    """The same for polygons: the number of the bit, and (m, 2) corners."""
    if (kernel := _kernel()) is None:
        return False
    x, y = _doubles(x), _doubles(y)
    at = _at(x), _at(y), len(x), _at(bits)
    for bit, corners in polygons:
        kernel.cytoreg_in_polygon(*at[:3], _at(corners), len(corners), bit, at[3])
    return True


def _kernel() -> ctypes.CDLL | None:
    try:
        return library()
    except NotThere:
        return None


def _doubles(values: Any) -> Array:
    return np.ascontiguousarray(values, dtype=np.float64)


def _at(values: npt.NDArray[Any]) -> int:
    return int(values.ctypes.data)
