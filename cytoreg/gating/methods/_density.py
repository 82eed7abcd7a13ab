"""A smooth density of one axis and its peaks: what the methods that look for valleys and tails stand on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Density", "Peak", "density", "peaks"]

Array = npt.NDArray[np.float64]
BINS = 512


@dataclass(frozen=True, eq=False)
class Density:
    """x: (BINS,) positions; y: (BINS,) density, of which the highest is 1."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Peak:
    """index: position in the density. height: 0 to 1. prominence: height above the higher of its valleys."""

    index: int
    height: float
    prominence: float


def density(values: Array, smooth: float = 1.0) -> Density:
    """A Gaussian kernel estimate on a grid (Silverman 1986, section 3.4.2, rule of thumb times `smooth`).

    values: (n,) finite. The bandwidth is 0.9 min(SD, IQR / 1.34) n^(-1/5); the ends of the grid lie
    beyond the 0.05th and the 99.95th percentile, so that a few wild values do not stretch it.
    """
    low, high = np.percentile(values, [0.05, 99.95])
    quarter, three_quarters = np.percentile(values, [25, 75])
    spread = min(float(values.std()), float(three_quarters - quarter) / 1.34) or float(values.std())
    least = 1e-9 * max(1.0, abs(low), abs(high))  # equal values need a grid that float64 can tell apart
    bandwidth = max(0.9 * spread * len(values) ** -0.2 * smooth, (high - low) / BINS, least)
    low, high = low - 3 * bandwidth, high + 3 * bandwidth
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    step = edges[1] - edges[0]
    reach = max(1, int(np.ceil(4 * bandwidth / step)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / bandwidth) ** 2)
    y = np.convolve(counts.astype(np.float64), kernel, mode="full")[reach : reach + BINS]
    return Density(0.5 * (edges[:-1] + edges[1:]), y / y.max())


def peaks(found: Density, least_prominence: float) -> list[Peak]:
    """Local maxima whose prominence is at least that much of the highest peak, from left to right."""
    y = np.concatenate(([-1.0], found.y, [-1.0]))
    rising = np.flatnonzero((y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:]))
    result = []
    for index in rising:
        height = float(found.y[index])
        left, right = found.y[: index + 1], found.y[index:]
        higher_left, higher_right = np.flatnonzero(left > height), np.flatnonzero(right > height)
        base_left = left[higher_left[-1] :].min() if len(higher_left) else 0.0
        base_right = right[: higher_right[0] + 1].min() if len(higher_right) else 0.0
        prominence = height - float(max(base_left, base_right))
        if prominence >= least_prominence:
            result.append(Peak(int(index), height, prominence))
    return result
