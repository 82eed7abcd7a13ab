"""A cut from an isotype control: a percentile of the same parent in the tube with antibodies that bind nothing.

An isotype control has neither the same protein load nor the same dye as the antibody that it stands for, so
that its background may be another (Hulspas R et al. Cytometry B 2009;76B:355-364). Foxp3 it does not set, unless
the template says so in as many words: in permeabilised cells unbound antibody is most of the background.
"""

from __future__ import annotations

from pydantic import model_validator

from cytoreg.gating.methods._control import control_values
from cytoreg.gating.methods._density import Histogram
from cytoreg.gating.methods._fit import Array, Fit, View
from cytoreg.gating.methods._params import ControlParams
from cytoreg.gating.methods._percentile import percentile_fit, percentile_recut
from cytoreg.markers import is_foxp3


class Params(ControlParams):
    """Those of every control. even_foxp3: lets an isotype control set the cut of Foxp3."""

    even_foxp3: bool = False

    @model_validator(mode="after")
    def _not_foxp3(self) -> Params:
        if not self.even_foxp3 and is_foxp3(self.on):
            raise ValueError(f"an isotype control does not set {self.on}; say `even_foxp3: true` if it is to")
        return self


def fit(view: View, params: Params) -> Fit:
    """Cut at the percentile of the control; scored as `percentile_fit`. Raises NoControl where there is none."""
    return percentile_fit(control_values(view, params, "isotype"), params, params.percentile)


def recut(values: Histogram, params: Params) -> Array:
    """The cut that `fit` would place on each row, (b,); not-a-number where it could not."""
    return percentile_recut(values, params, params.percentile)
