"""A cut at a percentile of the parent's events."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, Fit, ThresholdParams, View, cut_range, enough, few, looked_at
from cytoreg.gating.methods._order import percentiles


class Params(ThresholdParams):
    """percentile: 0 to 100, of the parent's events."""

    percentile: float = Field(ge=0, le=100)


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile, interpolated linearly; its score is that of the number of events."""
    values = looked_at(view, params)
    n, cut = len(values), percentiles(values, [params.percentile])[0]
    reasons = tuple(few(n, params.min_events))
    return Fit(cut_range(params.on, cut, params.keep), n, reasons, enough(n, params.min_events))


def recut(values: Histogram, params: Params) -> Array:
    """The percentile of each row, (b,); not-a-number where too few events are in it."""
    return np.where(values.total >= params.min_events, values.percentile(params.percentile), np.nan)
