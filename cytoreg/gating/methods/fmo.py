"""A cut from the control that lacks one reagent (fluorescence minus one): a percentile of the same parent in it.

Roederer M. Cytometry 2001;45:194-205: the spread of spilled light, and so the cut, is only right in a tube
that has every other reagent.
"""

from __future__ import annotations

from cytoreg.gating.methods._control import control_values
from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, Fit, View
from cytoreg.gating.methods._params import ControlParams
from cytoreg.gating.methods._percentile import percentile_fit, percentile_recut


class Params(ControlParams):
    """Those of every control; `from` names the population of the control to look at, else the parent."""


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the control; scored as `percentile_fit`. Raises NoControl where there is none."""
    return percentile_fit(control_values(view, params, "fmo"), params, params.percentile)


def recut(values: Histogram, params: Params) -> Array:
    """The cut that `fit` would place on each row, (b,); not-a-number where it could not."""
    return percentile_recut(values, params, params.percentile)
