"""The end of a population that has only one clear side: its mode plus some spreads of that side, mirrored.

The negative cells are taken to be symmetric about their mode, so that the side away from the tail says
how far they reach into it (the idea of openCyto's tail gate and of flowDensity's, Malek et al.
Bioinformatics 2015;31:606-607).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._density import Histogram, density, modes, peaks, smoothed
from cytoreg.gating.methods._fit import (
    Array,
    CannotFit,
    Fit,
    ThresholdParams,
    View,
    cut_range,
    enough,
    few,
    graded,
    looked_at,
)
from cytoreg.gating.methods._order import percentiles


class Params(ThresholdParams):
    """spreads: how many spreads beyond the mode the cut lies. side: of the mode on which the tail is."""

    spreads: float = Field(default=2.5, gt=0)
    side: str = Field(default="right", pattern="^(left|right)$")
    smooth: float = Field(default=1.5, gt=0)


RIVAL = 0.8  # of the highest peak: so high, and so prominent, another one is a mode as well


def fit(view: View, params: Params) -> Fit:
    """Cut at mode +/- spreads x s, s being the 68.3rd percentile of distances on the clear side.

    Its score is that of the number of events and of how far the highest peak is above any other.
    """
    values = looked_at(view, params)
    found = density(values, params.smooth)
    mode = float(found.x[int(np.argmax(found.y))])
    sign = 1.0 if params.side == "right" else -1.0
    clear = (mode - values) * sign
    clear = clear[clear >= 0]
    if len(clear) < params.min_events / 4:
        raise CannotFit(f"too few events on the clear side of the peak: {len(clear)}")
    spread = percentiles(clear, [68.27])[0]
    if spread <= 0:
        raise CannotFit("all values are equal")
    cut = mode + sign * params.spreads * spread
    n = len(values)
    reasons, score = [*few(n, params.min_events)], enough(n, params.min_events)
    beside = [top for top in peaks(found, RIVAL) if abs(float(found.x[top.index]) - mode) > spread]
    if beside:
        rival = max(top.height for top in beside)
        score = min(score, graded(rival, RIVAL, RIVAL / 2))
        reasons.append(f"another peak is {rival:.0%} as high: the mode may lie in either")
    return Fit(cut_range(params.on, cut, params.keep), n, tuple(reasons), score)


def recut(values: Histogram, params: Params) -> Array:
    """The cut that `fit` would place on each row, (b,); not-a-number where it could not."""
    place = modes(smoothed(values, params.smooth)) + 0.5  # in bins from the low end
    bins = np.arange(values.counts.shape[1])
    # how much of each bin lies on the clear side of the mode
    left = np.clip(place[:, None] - bins, 0.0, 1.0)
    clear = values.counts * (left if params.side == "right" else 1.0 - left)
    enough_there = clear.sum(axis=1) >= params.min_events / 4
    mode = values.low + place * values.step
    edge = values.percentile(100 - 68.27 if params.side == "right" else 68.27, clear)
    cuts = mode + params.spreads * (mode - edge)
    return np.where(enough_there & (values.total >= params.min_events), cuts, np.nan)
