"""A cut at a percentile of the parent's events."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._fit import Fit, ThresholdParams, View, cut_range, few, looked_at


class Params(ThresholdParams):
    """percentile: 0 to 100, of the parent's events."""

    percentile: float = Field(ge=0, le=100)


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile, interpolated linearly."""
    values = looked_at(view, params)
    cut = float(np.percentile(values, params.percentile))
    return Fit(cut_range(params.on, cut, params.keep), len(values), tuple(few(len(values), params.min_events)))
