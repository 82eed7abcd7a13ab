"""Single cells: those whose pulse height goes with its area; two cells in one pulse have too little height.

Height is regressed on area by iteratively reweighted least squares with Tukey's bisquare (Huber PJ, Robust
Statistics 1981, chapter 7), as flowStats' singletGate does with rlm; the band is relative to the line.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from cytoreg.gating.gates import Polygon
from cytoreg.gating.methods._fit import CannotFit, Fit, View, few
from cytoreg.yamlfile import StrictModel


class Params(StrictModel):
    """on: area, height. spreads: half-width of the band, in robust SDs of the relative distance to the line."""

    on: tuple[str, str]
    spreads: float = Field(default=3.5, gt=0)
    min_events: int = Field(default=100, ge=3)
    fallback: object = None


def fit(view: View, params: Params) -> Fit:
    """A polygon of four corners: the band about the line over all areas from 0 up."""
    area, height = view.values(params.on[0]), view.values(params.on[1])
    good = np.isfinite(area) & np.isfinite(height) & (area > 0) & (height > 0)
    x, y = area[good], height[good]
    if len(x) < params.min_events:
        raise CannotFit(f"too few events: {len(x)}, needs {params.min_events}")
    if float(x.min()) == float(x.max()):
        raise CannotFit("all areas are equal")
    inner = x < np.percentile(x, 99)  # those at the top of the scale have lost their ratio
    intercept, slope = _robust_line(x[inner], y[inner])
    if slope <= 0:
        raise CannotFit("height does not rise with area")
    line = intercept + slope * x
    if not (line > 0).any():
        raise CannotFit("height does not rise with area")
    relative = (y - line)[line > 0] / line[line > 0]
    spread = 1.4826 * float(np.median(np.abs(relative - np.median(relative))))
    band = max(params.spreads * spread, 0.02)
    right = 2.0 * float(x.max())
    left = max(0.0, -intercept / slope) if intercept < 0 else 0.0
    at_left, at_right = intercept + slope * left, intercept + slope * right
    vertices = (
        (left, at_left * (1 - band)),
        (right, at_right * (1 - band)),
        (right, at_right * (1 + band)),
        (left, at_left * (1 + band) + 1e-9 * right),
    )
    reasons = [*few(len(x), params.min_events)]
    kept = float(np.mean(np.abs(relative) <= band))
    if kept < 0.5:
        reasons.append(f"only {kept:.0%} of the events follow the line of single cells")
    return Fit(Polygon(params.on, vertices), len(x), tuple(reasons))


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept and slope; starts from the line through the origin with the median ratio."""
    intercept, slope = 0.0, float(np.median(y / x))
    for _ in range(20):
        miss = y - (intercept + slope * x)
        scale = 1.4826 * float(np.median(np.abs(miss)))
        if scale == 0:
            break
        weight = np.clip(1 - (miss / (4.685 * scale)) ** 2, 0, None) ** 2
        total = weight.sum()
        middle_x, middle_y = (weight * x).sum() / total, (weight * y).sum() / total
        spread = (weight * (x - middle_x) ** 2).sum()
        if spread == 0:
            break
        before = slope
        slope = float((weight * (x - middle_x) * (y - middle_y)).sum() / spread)
        intercept = float(middle_y - slope * middle_x)
        if abs(slope - before) <= 1e-10 * abs(before):
            break
    return intercept, slope
