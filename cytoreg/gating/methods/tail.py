"""The end of a population that has only one clear side: its mode plus some spreads of that side, mirrored.

The negative cells are taken to be symmetric about their mode, so that the side away from the tail says
how far they reach into it (the idea of openCyto's tail gate and of flowDensity's, Malek et al.
Bioinformatics 2015;31:606-607).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._density import density
from cytoreg.gating.methods._fit import CannotFit, Fit, ThresholdParams, View, cut_range, few, looked_at


class Params(ThresholdParams):
    """spreads: how many spreads beyond the mode the cut lies. side: of the mode on which the tail is."""

    spreads: float = Field(default=2.5, gt=0)
    side: str = Field(default="right", pattern="^(left|right)$")
    smooth: float = Field(default=1.5, gt=0)


def fit(view: View, params: Params) -> Fit:
    """Cut at mode +/- spreads x s, s being the 68.3rd percentile of distances on the clear side."""
    values = looked_at(view, params)
    found = density(values, params.smooth)
    mode = float(found.x[int(np.argmax(found.y))])
    sign = 1.0 if params.side == "right" else -1.0
    clear = (mode - values) * sign
    clear = clear[clear >= 0]
    if len(clear) < params.min_events / 4:
        raise CannotFit(f"too few events on the clear side of the peak: {len(clear)}")
    spread = float(np.percentile(clear, 68.27))
    if spread <= 0:
        raise CannotFit("all values are equal")
    cut = mode + sign * params.spreads * spread
    return Fit(cut_range(params.on, cut, params.keep), len(values), tuple(few(len(values), params.min_events)))
