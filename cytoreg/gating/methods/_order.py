"""Percentiles and medians of many events, as NumPy gives them to the bit, in one look at the values.

Linear interpolation between order statistics (Hyndman RJ, Fan Y. Am Stat 1996;50:361-365, their type 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cytoreg.gating.kernel import fits

__all__ = ["crossed", "inverse_of", "median", "percentiles", "ranked", "thinned"]

Array = npt.NDArray[np.float64]
SMALL = 200_000  # products of numbers


def percentiles(values: Array, percents: Sequence[float]) -> list[float]:
    """Percentiles of (n,) values, n at least 1, as `np.percentile` does; any order of percents."""
    last = len(values) - 1
    places = [percent / 100 * last for percent in percents]
    ranks = sorted({rank for place in places for rank in (math.floor(place), min(math.floor(place) + 1, last))})
    found = fits.ranked(values, ranks) if math.isfinite(float(values.sum())) else None
    if found is None:
        return [float(one) for one in np.percentile(values, percents)]
    there = dict(zip(ranks, found, strict=True))
    result = []
    for place in places:
        rank = math.floor(place)
        low, high, part = there[rank], there[min(rank + 1, last)], place - rank
        # as NumPy rounds: from the nearer end
        result.append(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)
    return result


def ranked(values: Array, ranks: Sequence[int]) -> list[float]:
    """The values of ascending ranks of (n,) finite values."""
    found = fits.ranked(values, ranks) if ranks else []
    return np.partition(values, ranks)[ranks].tolist() if found is None else found


def median(values: Array) -> float:
    """The median of (n,) values, as `np.median` does."""
    half = len(values) // 2
    ranks = [half] if len(values) % 2 else [half - 1, half]
    found = fits.ranked(values, ranks) if len(values) and math.isfinite(float(values.sum())) else None
    return float(np.median(values)) if found is None else sum(found) / len(found)


def crossed(a: Array, b: Array) -> Array:
    """The product a' b of (n, p) and (n, q), in blocks so small that the linear algebra library starts no threads for them.

    Its threads wait busily between such small products, and cost more than they bring.
    """
    found, block = np.zeros((a.shape[1], b.shape[1])), max(1, SMALL // (a.shape[1] * b.shape[1]))
    b = b.copy() if a is b else b  # a product with itself goes another way there
    for start in range(0, len(a), block):
        found += a[start : start + block].T @ b[start : start + block]
    return found


def inverse_of(matrix: Array) -> Array:
    """The inverse of a small square matrix, by Gauss and Jordan's elimination with pivots, without threads; its pseudo-inverse
    where it has none."""
    n = len(matrix)
    work = np.concatenate([matrix, np.eye(n)], axis=1)
    for i in range(n):
        pivot = i + int(np.argmax(np.abs(work[i:, i])))
        if not abs(work[pivot, i]) > 1e-12:
            return np.linalg.pinv(matrix)
        work[[i, pivot]] = work[[pivot, i]]
        work[i] /= work[i, i]
        factors = work[:, i].copy()
        factors[i] = 0.0
        work -= factors[:, None] * work[i]
    return work[:, n:]


def thinned(x: Array, y: Array, most: int) -> tuple[Array, Array]:
    """At most about `most` of n pairs, drawn by a hash of their values, so that the order of events does not matter.

    Where too few differ for that, all.
    """
    if len(x) <= most:
        return x, y
    bits = x.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ y.view(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (bits ^ (bits >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    kept = mixed < np.uint64(int(most / len(x) * 2**64))
    return (x[kept], y[kept]) if np.count_nonzero(kept) > most / 2 else (x, y)
