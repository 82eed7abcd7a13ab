"""The limits that gate placement gives a percentage, and those of counting and placement together.

Everything is added on the logit scale, where a percentage has no ends. Placement enters as the root mean square of how far
the replicates' logits lie from the sample's own, their bias with it, times Student's t. The limits of counting are
Wilson's, which are not symmetric: each side keeps its own distance, and the squares of the two distances of a side are added
(the square-and-add rule of Newcombe RG, Stat Med 1998;17:873-890, and Zou GY, Donner A, Stat Med 2008;27:1693-1702, who
give the term for correlated quantities too): the events that place a gate are those that are counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.gating.uncertainty.counting import Z95, wilson

__all__ = ["Limits", "limits", "t95"]

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Limits:
    """95 % limits in percent: counting, gate placement, and both together; not-a-number where there are none."""

    count: tuple[float, float]
    gate: tuple[float, float]
    both: tuple[float, float]


def limits(
    count: int,
    total: int,
    counts: Counts | None = None,
    totals: Counts | None = None,
    sways: npt.NDArray[np.float64] | None = None,
) -> Limits:
    """Limits of count / total.

    counts, totals: of the same two populations in each replicate that could be placed, (b,). Without them, or with
    fewer than two, placement is not known, and both together are the limits of counting. A replicate in which the
    population above is empty says nothing and is left out. 0 and all of n events are taken as half an event from the
    sways: by how much the events that placed the gates of a replicate move the log of the share, (b,), where that is known.
    end for the logit, as (x + 1/2) / (n + 1) does (Haldane JBS, Ann Hum Genet 1956;20:309-311).
    """
    counting = wilson(count, total)
    unknown = (math.nan, math.nan)
    if total <= 0 or counts is None or totals is None:
        return Limits(counting, unknown, counting)
    known = totals > 0
    if int(known.sum()) < 2:
        return Limits(counting, unknown, counting)
    logits = _logit(counts[known], totals[known])
    if logits.min() == logits.max():
        here = 100 * count / total
        return Limits(counting, (here, here), counting)
    together = 0.0 if sways is None else _correlation(logits, sways[known], count, total)
    middle = float(_logit(np.array([count]), np.array([total]))[0])
    spread, off = float(logits.std(ddof=1)), float(logits.mean()) - middle
    reach = t95(len(logits) - 1) * math.hypot(spread, off)
    gate, both = [], []
    for sign, end, limit in ((-1.0, 0.0, counting[0]), (1.0, 100.0, counting[1])):
        if limit == end:  # nothing, or everything, was counted: there is nothing beyond
            gate.append(end)
            both.append(end)
            continue
        away = max(0.0, sign * (math.log(limit / (100 - limit)) - middle))
        gate.append(_percent(middle + sign * reach))
        both.append(_percent(middle + sign * math.sqrt(away**2 + reach**2 + 2 * together * away * reach)))
    return Limits(counting, (gate[0], gate[1]), (both[0], both[1]))


def _correlation(logits: npt.NDArray[np.float64], sways: npt.NDArray[np.float64], count: int, total: int) -> float:
    """Of what placement and counting add to the logit, the same events being drawn for both.

    Their covariance is that of the replicates; the variance of counting is the binomial one of the logit, n / (x (n - x)).
    Where they go against each other, 0 is taken: known from few replicates, a negative one would at times leave less than counting.
    """
    if not 0 < count < total or not sways.any():
        return 0.0
    counted = sways * (total / (total - count))
    covariance = float(np.cov(logits, counted)[0, 1])
    found = covariance / float(logits.std(ddof=1)) * math.sqrt(count * (total - count) / total)
    return min(1.0, max(0.0, found))


def t95(df: int) -> float:
    """The 97.5th percentile of Student's t, by the expansion about the normal one (Abramowitz & Stegun 26.7.5).

    Right to 0.001 from 8 degrees of freedom on.

    >>> round(t95(63), 4), round(t95(15), 4)
    (1.9983, 2.1314)
    """
    z = Z95
    return (
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * df**4)
    )


def _logit(counts: Counts, totals: Counts) -> npt.NDArray[np.float64]:
    """Logits of counts / totals; of none and of all as half an event from the end."""
    part = counts.astype(np.float64)
    rest = totals - part
    ends = (part == 0) | (rest == 0)
    return np.log((part + 0.5 * ends) / (rest + 0.5 * ends))


def _percent(logit: float) -> float:
    return 100 / (1 + math.exp(-logit)) if logit > -700 else 0.0
