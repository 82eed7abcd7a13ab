"""A cut at a percentile of negative cells, with the interval that the number of those cells allows.

The interval is of order statistics: between which two of n values, with 95 % probability, a percentile of
the population lies follows from the binomial distribution alone, whatever the values look like (Conover WJ.
Practical Nonparametric Statistics, 3rd edition 1999, section 3.2; Hahn GJ, Meeker WQ. Statistical Intervals
1991, section 5.2). Where a control has too few events the interval is open above.
"""

from __future__ import annotations

import math

import numpy as np

from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, Fit, ThresholdParams, cut_range, enough, few, graded
from cytoreg.gating.methods._order import percentiles, ranked

__all__ = ["order_statistics", "percentile_fit", "percentile_recut"]

WIDE = 1.5  # robust SDs of the negative cells
NARROW = 0.5
LEVEL = 0.95


def percentile_fit(values: Array, params: ThresholdParams, percentile: float) -> Fit:
    """Cut at a percentile of finite values, interpolated linearly; its order does not matter.

    In doubt where the interval of the percentile is open, or wider than 1.5 robust SDs (IQR / 1.349) of the
    values. The score is that of the number of events and of the width of the interval.
    """
    n = len(values)
    low, high = order_statistics(n, percentile / 100)
    ends = sorted({index for index in (low, high) if index is not None})
    found = dict(zip(ends, ranked(values, ends), strict=True))
    lower = -math.inf if low is None else found[low]
    upper = math.inf if high is None else found[high]
    cut, quarter, three_quarters = percentiles(values, [percentile, 25, 75])
    spread = float(three_quarters - quarter) / 1.349
    reasons, score = [*few(n, params.min_events)], enough(n, params.min_events)
    if math.isinf(upper) or math.isinf(lower):
        score = 0.0
        reasons.append(f"{n} events are too few for an interval of the {percentile:g}th percentile")
    elif upper > lower:
        width = (upper - lower) / spread if spread > 0 else math.inf
        score = min(score, graded(width, WIDE, NARROW))
        if width > WIDE:
            reasons.append(
                f"the percentile is known only from {lower:.3g} to {upper:.3g}, wider than 1.5 SDs of the negative cells"
            )
    return Fit(cut_range(params.on, cut, params.keep), n, tuple(reasons), score, (lower, upper))


def percentile_recut(values: Histogram, params: ThresholdParams, percentile: float) -> Array:
    """The percentile of each row of a histogram, (b,); not-a-number where too few events are in it."""
    return np.where(values.total >= params.min_events, values.percentile(percentile), np.nan)


def order_statistics(n: int, p: float, level: float = LEVEL) -> tuple[int | None, int | None]:
    """Which of n ascending values, counted from 0, enclose the p-quantile of the population; None: no value does.

    The number of values below the quantile is binomial; each end leaves out at most half of what `level` does.

    >>> order_statistics(100, 0.5)
    (39, 60)
    >>> order_statistics(100, 0.995)
    (97, None)
    """
    if not (n > 0 and 0 < p < 1):
        return None, None
    if p < 0.5:  # by symmetry, so that the sums below are of the short side
        low, high = order_statistics(n, 1 - p, level)
        return (None if high is None else n - 1 - high), (None if low is None else n - 1 - low)
    miss = (1 - level) / 2
    # above: how many values lie above the quantile, binomial (n, 1 - p); all but 1e-20 of it is in this window
    mean, reach = n * (1 - p), 10 * math.sqrt(n * p * (1 - p)) + 50
    first, last = max(0, math.floor(mean - reach)), min(n, math.ceil(mean + reach))
    above = np.arange(first, last + 1, dtype=np.float64)
    ratio = np.log((n - above[:-1]) / (above[:-1] + 1) * ((1 - p) / p))
    log_mass = np.concatenate(([0.0], np.cumsum(ratio)))
    mass = np.exp(log_mass - log_mass.max())
    up_to = np.cumsum(mass) / mass.sum()
    few_above = int(np.searchsorted(up_to, miss, side="right")) + first  # P(above < few_above) <= miss
    most_above = int(np.searchsorted(up_to, 1 - miss, side="left")) + first  # P(above > most_above) <= miss
    high = n - few_above if few_above > 0 else None
    low = n - 1 - most_above if most_above < n else None
    return low, high
