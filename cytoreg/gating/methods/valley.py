"""The lowest point between two peaks of a density: for markers whose negative and positive cells stand apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pydantic import Field

from cytoreg.gating.methods._density import density, peaks
from cytoreg.gating.methods._fit import CannotFit, Fit, ThresholdParams, View, cut_range, few, looked_at


class Params(ThresholdParams):
    """smooth: times the rule-of-thumb bandwidth. prominence: of a peak, as a share of the highest.

    between: which neighbouring peaks, `deepest` (the valley that parts them best), `first` or `last`.
    apart: for an axis that starts at 0, such as scatter: the lower peak must lie below this share of the
    upper one, as debris does and small cells beside large ones do not.
    """

    smooth: float = Field(default=1.0, gt=0)
    prominence: float = Field(default=0.03, gt=0, lt=1)
    apart: float | None = Field(default=None, gt=0, lt=1)
    between: str = Field(default="deepest", pattern="^(deepest|first|last)$")


SHALLOW = 0.7


def fit(view: View, params: Params) -> Fit:
    """Cut at the bottom of the valley; doubtful where it is shallow."""
    values = looked_at(view, params)
    if float(values.min()) == float(values.max()):
        raise CannotFit("all values are equal")
    found = density(values, params.smooth)
    tops = peaks(found, params.prominence)
    if len(tops) < 2:
        raise CannotFit("no second peak")
    valleys = []
    for left, right in pairwise(tops):
        between = found.y[left.index : right.index + 1]
        bottom = left.index + round(float(np.mean(np.flatnonzero(between == between.min()))))
        valleys.append((bottom, left, right))
    if params.between == "deepest":
        bottom, left, right = max(valleys, key=lambda v: min(v[1].height, v[2].height) - found.y[v[0]])
    else:
        bottom, left, right = valleys[0 if params.between == "first" else -1]
    if params.apart is not None and found.x[left.index] > params.apart * found.x[right.index]:
        share = found.x[left.index] / found.x[right.index]
        raise CannotFit(f"the lower peak lies at {share:.0%} of the upper one, expected below {params.apart:.0%}")
    ratio = float(found.y[bottom]) / min(left.height, right.height)
    reasons = [*few(len(values), params.min_events)]
    if ratio > SHALLOW:
        reasons.append(f"the valley is shallow: {ratio:.0%} of the lower peak")
    return Fit(cut_range(params.on, float(found.x[bottom]), params.keep), len(values), tuple(reasons))
