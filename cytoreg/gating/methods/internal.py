"""A cut from cells of the same tube that are known to be negative: a percentile of that population.

For Tregs: CD25 from the CD4- T cells, Foxp3 from the CD4+CD25- cells. A stand-in where no FMO control was
stained, since the negative cells need not have the background of the cells that are cut.
"""

from __future__ import annotations

from pydantic import Field

from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, By, Fit, ThresholdParams, View, looked_at
from cytoreg.gating.methods._percentile import percentile_fit, percentile_recut


class Params(ThresholdParams):
    """source (`from` in a template): the negative population. percentile: of it that lies below the cut."""

    source: str = Field(alias="from")
    percentile: float = Field(default=99.0, gt=0, lt=100)
    by: By = "batch"


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the negative population; scored as `percentile_fit`.

    Raises CannotFit where it was not gated.
    """
    return percentile_fit(looked_at(view, params), params, params.percentile)


def recut(values: Histogram, params: Params) -> Array:
    """The cut that `fit` would place on each row, (b,); not-a-number where it could not."""
    return percentile_recut(values, params, params.percentile)
