"""Which events of a single-stain control are stained, and which are the unstained ones they are compared with.

The stained ones are the brightest peak of the stained channel where there is one, else the brightest events
beyond the negative. Peaks are looked for on an arcsinh scale that is linear within the spread of the negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST", "Stained", "own_negative", "robust_sd", "stained"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LEAST = 100  # events below which a median is not worth having
GRID = 512
PROMINENT = 0.2  # of its own height: what a peak must stand above the valley beside it
LEAST_SHARE = 0.005  # of the events: what a peak must hold
SURE = 5.0  # standard deviations of counting by which a peak must exceed a plain as high as its valley
BEYOND = 99.9  # percentile of the negative beyond which an event is stained
BRIGHTEST = 0.04  # of the events: the stained ones of a smear without a peak


@dataclass(frozen=True, eq=False)
class Stained:
    """events: mask, shape (n,), of the stained events, none of them at the top of the scale.

    peak: whether they are a peak of their own. beyond: how many lie beyond the negative. saturated: the share of
    those that are at the top.
    """

    events: Mask
    peak: bool
    beyond: int
    saturated: float


def robust_sd(values: Array) -> float:
    """Half the width that holds the middle 68.27 % of values; of a normal distribution its SD."""
    low, high = np.percentile(values, [15.87, 84.13])
    return float(high - low) / 2


def stained(values: Array, negative: Array, top: float) -> Stained:
    """The stained events of a control.

    values: (n,) raw linear values of the stained channel. negative: (m,) those of the unstained reference, m > 0.
    top: value from which on an event is at the top of the scale.
    """
    limit = float(np.percentile(negative, BEYOND))
    bright, below = values > limit, values < top
    beyond = int(bright.sum())
    saturated = float(np.mean(values[bright] >= top)) if beyond else 0.0
    cut = _peak(values[below], negative, limit)
    if cut is not None:
        return Stained(bright & below & (values >= cut[0]) & (values <= cut[1]), True, beyond, saturated)
    n = max(LEAST, round(BRIGHTEST * len(values)))
    rest = np.sort(values[bright & below])
    least = rest[-n] if len(rest) > n else limit
    return Stained(bright & below & (values >= least), False, beyond, saturated)


def own_negative(values: Array) -> Mask:
    """The dimmest peak of a control's own stained channel, (n,): beads without stain, or cells that do not bind it."""
    scale = _scale(values)
    shown = np.arcsinh(values / scale)
    grid, density = _density(shown)
    tops, valleys = _peaks(density)
    if len(tops) < 2:
        return np.zeros(len(values), dtype=bool)
    held = [_held(shown, grid, valleys, i) for i in range(len(tops))]
    first = next((i for i, n in enumerate(held) if n >= max(LEAST, LEAST_SHARE * len(values))), None)
    if first is None or first == len(tops) - 1:
        return np.zeros(len(values), dtype=bool)
    return np.asarray(shown < grid[valleys[first + 1]])


def _peak(values: Array, negative: Array, limit: float) -> tuple[float, float] | None:
    """Limits of the brightest peak beyond the negative, from the valley before it to as far on its other side."""
    if len(values) < LEAST:
        return None
    scale = 3.0 * max(robust_sd(negative), 1e-9)
    shown = np.arcsinh(values / scale)
    grid, density = _density(shown)
    tops, valleys = _peaks(density)
    for i in reversed(range(len(tops))):
        at, valley = grid[tops[i]], grid[valleys[i]]
        if at <= np.arcsinh(limit / scale):
            return None
        held = _held(shown, grid, valleys, i)
        plain = float(density[valleys[i]] * (valleys[i + 1] - valleys[i]))  # events, were there no peak
        if held < max(LEAST, LEAST_SHARE * len(values)) or held - plain < SURE * np.sqrt(held):
            continue
        low = max(valley, float(np.arcsinh(limit / scale)))
        return float(np.sinh(low) * scale), float(np.sinh(2 * at - low) * scale)
    return None


def _held(shown: Array, grid: Array, valleys: list[int], i: int) -> int:
    """How many events lie between the valleys on both sides of a peak."""
    return int(((shown >= grid[valleys[i]]) & (shown <= grid[valleys[i + 1]])).sum())


def _scale(values: Array) -> float:
    """A width for the arcsinh of a tube without a reference: the spread of its dimmer half."""
    low, middle = np.percentile(values, [15.87, 50])
    return 3.0 * max(float(middle - low), 1e-9)


def _density(shown: Array) -> tuple[Array, Array]:
    """A Gaussian kernel estimate on a grid, its width half of Silverman's rule of thumb (1986, section 3.4.2).

    The rule is for one peak and smooths two of them into each other.
    """
    from scipy.ndimage import gaussian_filter1d

    low, high = np.percentile(shown, [0.05, 99.95])
    quarter, three = np.percentile(shown, [25, 75])
    spread = min(float(shown.std()), float(three - quarter) / 1.34) or float(shown.std()) or 1e-9
    width = max(0.45 * spread * len(shown) ** -0.2, (high - low) / GRID, 1e-9)
    counts, edges = np.histogram(shown, bins=GRID, range=(low - 3 * width, high + 3 * width))
    step = float(edges[1] - edges[0])
    return 0.5 * (edges[:-1] + edges[1:]), gaussian_filter1d(
        counts.astype(np.float64), width / step, mode="constant"
    )


def _peaks(density: Array) -> tuple[list[int], list[int]]:
    """Positions of prominent tops, and of the valleys before the first, between them and after the last."""
    from scipy.signal import find_peaks

    padded = np.concatenate(([0.0], density, [0.0]))
    found, facts = find_peaks(padded, prominence=0.0)
    tops = [
        int(i) - 1 for i, rise in zip(found, facts["prominences"], strict=True) if rise >= PROMINENT * padded[i]
    ]
    between = [a + int(density[a : b + 1].argmin()) for a, b in pairwise(tops)]
    return tops, [0, *between, len(density) - 1]
