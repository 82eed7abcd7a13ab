"""A smooth density of one axis and its peaks: what the methods that look for valleys and tails stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.kernel import fits
from cytoreg.gating.methods._order import percentiles

__all__ = [
    "Density",
    "Histogram",
    "Peak",
    "density",
    "histogram_grid",
    "modes",
    "peaks",
    "smoothed",
    "valley_between",
]

Array = npt.NDArray[np.float64]
BINS = 512
HISTOGRAM_BINS = 512
NOTHING = 1e-9  # of the highest peak: what a Fourier transform leaves of nothing


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
    low, high, quarter, three_quarters = percentiles(values, [0.05, 99.95, 25, 75])
    spread = min(float(values.std()), float(three_quarters - quarter) / 1.34) or float(values.std())
    least = 1e-9 * max(1.0, abs(low), abs(high))  # equal values need a grid that float64 can tell apart
    bandwidth = max(0.9 * spread * len(values) ** -0.2 * smooth, (high - low) / BINS, least)
    low, high = low - 3 * bandwidth, high + 3 * bandwidth
    edges = np.histogram_bin_edges(np.empty(0), bins=BINS, range=(low, high))
    counts = fits.histogram_counts(values, edges)
    if counts is None:
        counts, _ = np.histogram(values, bins=BINS, range=(low, high))
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


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of events on even bins of one axis, a row a replicate; what lies beyond an end is in its last bin.

    low: left end of the first bin. step: width of a bin. counts: (b, HISTOGRAM_BINS) float64. smoothed: densities, by smoothing,
    so that gates on one axis share them.
    """

    low: float
    step: float
    counts: Array
    smoothed: dict[float, Array] = field(default_factory=dict, repr=False)

    @property
    def centres(self) -> Array:
        """Middle of each bin."""
        return self.low + (np.arange(self.counts.shape[1]) + 0.5) * self.step

    @cached_property
    def total(self) -> Array:
        """Events of each row, (b,)."""
        return self.counts.sum(axis=1)

    def percentile(self, percent: float, counts: Array | None = None) -> Array:
        """The percentile of each row, (b,), events lying evenly within a bin; not-a-number of an empty row."""
        counts = self.counts if counts is None else counts
        below = np.cumsum(counts, axis=1)
        wanted = below[:, -1] * (percent / 100)
        bins = np.minimum((below < wanted[:, None]).sum(axis=1), counts.shape[1] - 1)
        rows = np.arange(len(counts))
        here = counts[rows, bins]
        within = np.where(here > 0, (wanted - (below[rows, bins] - here)) / np.maximum(here, 1.0), 0.0)
        return np.where(below[:, -1] > 0, self.low + (bins + within) * self.step, np.nan)

    def bandwidths(self, smooth: float) -> Array:
        """What `density` would smooth each row with, (b,)."""
        n, x = np.maximum(self.total, 1.0), self.centres - self.low
        middle, square = (self.counts * x).sum(axis=1) / n, (self.counts * (x * x)).sum(axis=1) / n
        sd = np.sqrt(np.maximum(square - middle * middle, 0.0))
        iqr = (self.percentile(75) - self.percentile(25)) / 1.34
        spread = np.where((iqr > 0) & (iqr < sd), iqr, sd)
        return np.maximum(0.9 * spread * np.maximum(self.total, 1.0) ** -0.2 * smooth, self.step)


def histogram_grid(values: Array) -> tuple[float, float]:
    """Low end and step of the bins for some finite values, at least one: those between the 0.05th and the 99.95th percentile and
    a tenth of that width on either side.

    The percentiles are read from a coarse count, which does not depend on the order of the values.
    """
    low, high = float(values.min()), float(values.max())
    for _ in range(4):
        step = (high - low) / HISTOGRAM_BINS
        if not step > 1e-12 * max(1.0, abs(low), abs(high)):
            break
        below = np.cumsum(in_bins(values, low, step))
        first = int(np.searchsorted(below, 0.0005 * below[-1]))
        last = int(np.searchsorted(below, 0.9995 * below[-1]))
        width = (last - first + 1) * step
        low, high, before = low + first * step - 0.1 * width, low + (last + 1) * step + 0.1 * width, high - low
        if high - low > before / 4:  # a few wild values no longer hide the others in a few bins
            break
    return low, max((high - low) / HISTOGRAM_BINS, 1e-12 * max(1.0, abs(low), abs(high)))


def in_bins(values: Array, low: float, step: float) -> npt.NDArray[np.int64]:
    """Number of values in each bin, (HISTOGRAM_BINS,)."""
    counts = fits.bin_counts(values, low, 1.0 / step, HISTOGRAM_BINS)
    return np.bincount(bins_of(values, low, step), minlength=HISTOGRAM_BINS) if counts is None else counts


def bins_of(values: Array, low: float, step: float) -> npt.NDArray[np.int64]:
    """The bin that each finite value is in; beyond the ends the last one there."""
    return np.clip((values - low) * (1.0 / step), 0, HISTOGRAM_BINS - 1).astype(np.int64)


def smoothed(found: Histogram, smooth: float) -> Array:
    """The density of each row as `density` estimates it, (b, HISTOGRAM_BINS), of which the highest is 1.

    By Fourier transform, since all rows are smoothed at once, each with its own bandwidth.
    """
    if smooth in found.smoothed:
        return found.smoothed[smooth]
    widths = found.bandwidths(smooth) / found.step
    # room for seven bandwidths, so that nothing comes in again at the other end
    padded = HISTOGRAM_BINS + (
        HISTOGRAM_BINS // 4 if 7 * float(widths.max()) < HISTOGRAM_BINS // 4 else HISTOGRAM_BINS
    )
    waves = 2 * np.pi * np.fft.rfftfreq(padded)
    gauss = np.exp(-0.5 * (widths[:, None] * waves) ** 2)
    y = np.fft.irfft(np.fft.rfft(found.counts, padded) * gauss, padded)[:, :HISTOGRAM_BINS]
    y /= np.maximum(y.max(axis=1, keepdims=True), 1e-300)
    y[y < NOTHING] = 0.0
    found.smoothed[smooth] = y
    return y


def modes(y: Array) -> Array:
    """Where each row is highest, in bins from the first one's middle, by the parabola through three bins, (b,)."""
    top = np.clip(np.argmax(y, axis=1), 1, y.shape[1] - 2)
    rows = np.arange(len(y))
    return top + _vertex(y[rows, top - 1], y[rows, top], y[rows, top + 1])


def valley_between(y: Array, least_prominence: float) -> list[list[tuple[float, float, int, int]]]:
    """For each row its valleys from left to right: place in bins, depth as a density, and the peaks beside it.

    Peaks are those that `peaks` would find; of a flat bottom the middle is taken.
    """
    if (found := fits.valleys(y, least_prominence, NOTHING)) is not None:
        return found
    inner = y[:, 1:-1]
    rows, places = np.nonzero((inner > y[:, :-2]) & (inner >= y[:, 2:]) & (inner >= least_prominence))
    ends = np.searchsorted(rows, np.arange(len(y) + 1))
    return [_valleys(y[i], places[ends[i] : ends[i + 1]] + 1, least_prominence) for i in range(len(y))]


def _valleys(y: Array, tops: npt.NDArray[np.int64], least: float) -> list[tuple[float, float, int, int]]:
    between = [float(y[a : b + 1].min()) for a, b in pairwise(tops.tolist())]
    heights = y[tops].tolist()
    kept = []
    for i, height in enumerate(heights):
        base = 0.0
        for step in (-1, 1):  # down to the lowest point before something higher, if there is such
            lowest, j = height, i
            while 0 <= j + step < len(heights):
                lowest = min(lowest, between[j if step > 0 else j - 1])
                j += step
                if heights[j] > height:
                    base = max(base, lowest)
                    break
        if height - base >= least:
            kept.append(int(tops[i]))
    found = []
    for a, b in pairwise(kept):
        part = y[a : b + 1]
        lowest = float(part.min())
        flat = np.flatnonzero(part <= lowest + NOTHING)
        place = a + float(flat.mean())
        if len(flat) == 1 and 0 < flat[0] < len(part) - 1:
            i = a + int(flat[0])
            place += float(_vertex(y[i - 1], y[i], y[i + 1]))
        found.append((place, lowest, a, b))
    return found


def _vertex(left: Any, middle: Any, right: Any) -> Any:
    """Where the parabola through three even points turns, from the middle one, at most half a step away."""
    bend = left - 2 * middle + right
    safe = np.where(bend == 0, 1.0, bend)
    return np.where(bend == 0, 0.0, np.clip(0.5 * (left - right) / safe, -0.5, 0.5))
