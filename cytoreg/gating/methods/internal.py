"""A cut from cells of the same tube that are known to be negative: a percentile of that population.

For Tregs: CD25 from the CD4- T cells, Foxp3 from the CD4+CD25- cells. A stand-in where no FMO control was
stained, since the negative cells need not have the background of the cells that are cut.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._fit import By, Fit, ThresholdParams, View, cut_range, few, looked_at


class Params(ThresholdParams):
    """source (`from` in a template): the negative population. percentile: of it that lies below the cut."""

    source: str = Field(alias="from")
    percentile: float = Field(default=99.0, gt=0, lt=100)
    by: By = "batch"


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the negative population. Raises CannotFit where it was not gated."""
    values = looked_at(view, params)
    cut = float(np.percentile(values, params.percentile))
    return Fit(cut_range(params.on, cut, params.keep), len(values), tuple(few(len(values), params.min_events)))
