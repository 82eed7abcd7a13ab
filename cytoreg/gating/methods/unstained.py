"""A cut from unstained cells: a percentile of their autofluorescence.

The tube has no antibody, so that only populations by scatter can be found in it: `from` says which one is looked
at. It holds no light spilt from other dyes either; the cut is too low where such light spreads (Roederer M.
Cytometry 2001;45:194-205), and an FMO control is better.
"""

from __future__ import annotations

from cytoreg.gating.methods._control import control_values
from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, Fit, View
from cytoreg.gating.methods._params import ControlParams
from cytoreg.gating.methods._percentile import percentile_fit, percentile_recut


class Params(ControlParams):
    """Those of every control; `from` names the population to look at, one by scatter."""


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the control; scored as `percentile_fit`. Raises NoControl where there is none."""
    return percentile_fit(control_values(view, params, "unstained"), params, params.percentile)


def recut(values: Histogram, params: Params) -> Array:
    """The cut that `fit` would place on each row, (b,); not-a-number where it could not."""
    return percentile_recut(values, params, params.percentile)
