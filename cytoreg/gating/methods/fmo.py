"""A cut from the control that lacks one reagent (fluorescence minus one): a percentile of the same parent in it.

Roederer M. Cytometry 2001;45:194-205: the spread of spilled light, and so the cut, is only right in a tube
that has every other reagent.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._fit import By, CannotFit, Fit, ThresholdParams, View, cut_range, few, finite


class Params(ThresholdParams):
    """percentile: of the control's events in the same parent, which lie below the cut."""

    percentile: float = Field(default=99.5, gt=0, lt=100)
    by: By = "batch"


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the control. Raises CannotFit where there is no control."""
    control = view.control(params.on, params.on)
    if control is None:
        raise CannotFit(f"no FMO control for {params.on}")
    values = finite(control, params.min_events, "events in the FMO control")
    cut = float(np.percentile(values, params.percentile))
    return Fit(cut_range(params.on, cut, params.keep), len(values), tuple(few(len(values), params.min_events)))
