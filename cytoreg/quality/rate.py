"""The flow rate of a tube: stretches of time in which the events nearly stopped, or came in a rush.

After flowAI (Monaco G et al. Bioinformatics 2016;32:2473-2480), with a plain rule in place of its anomaly test: the
usual rate is that of the median event, and a stretch is odd below a quarter or above two and a half times of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Rate", "rate_of"]

MOST_BINS = 100
FEWEST_BINS = 10
PER_BIN = 100  # events, on average: chance then brings no bin below a quarter or above 2.5 times
CLOGGED, RUSHED = 0.25, 2.5  # times the usual rate
TICKS = 10  # different times in a bin, on average, so that the steps of a coarse clock make no pattern


@dataclass(frozen=True)
class Rate:
    """Events in equal stretches of time. counts: (bins,). clogged, rushed: which stretches, (bins,) bool.
    odd: which events fell into such a stretch, (n,) bool, in order of time.
    """

    counts: npt.NDArray[np.int64]
    clogged: npt.NDArray[np.bool_]
    rushed: npt.NDArray[np.bool_]
    odd: npt.NDArray[np.bool_]


def rate_of(ticks: npt.NDArray[np.float64]) -> Rate | None:
    """The rate over time; None where events, or different times, are too few to say. ticks: ascending, (n,)."""
    n = len(ticks)
    if n < FEWEST_BINS * PER_BIN:
        return None
    distinct = 1 + int(np.count_nonzero(np.diff(ticks)))
    bins = min(MOST_BINS, n // PER_BIN, distinct // TICKS)
    if bins < FEWEST_BINS:
        return None
    edges = np.searchsorted(ticks, np.linspace(ticks[0], ticks[-1], bins + 1)[1:-1])
    counts = np.diff(np.concatenate([[0], edges, [n]]))
    rising = np.sort(counts)
    usual = rising[np.searchsorted(np.cumsum(rising), n / 2)]
    clogged, rushed = counts < CLOGGED * usual, counts > RUSHED * usual
    return Rate(counts, clogged, rushed, np.repeat(clogged | rushed, counts))
