"""Single cells: those whose pulse height goes with its area; two cells in one pulse have too little height.

Height is regressed on area by iteratively reweighted least squares with Tukey's bisquare (Huber PJ, Robust
Statistics 1981, chapter 7), as flowStats' singletGate does with rlm; the band is relative to the line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from cytoreg.gating.gates import Gate, Polygon, contains
from cytoreg.gating.methods._fit import Array, CannotFit, Fit, View, enough, few, graded
from cytoreg.gating.methods._influence import Influence
from cytoreg.gating.methods._order import crossed, median, percentiles, thinned
from cytoreg.strictmodel import StrictModel

MOST_EVENTS = 20_000


class Params(StrictModel):
    """on: area, height. spreads: half-width of the band, in robust SDs of the relative distance to the line."""

    on: tuple[str, str]
    spreads: float = Field(default=3.5, gt=0)
    min_events: int = Field(default=100, ge=3)
    fallback: object = None


def fit(view: View, params: Params) -> Fit:
    """A polygon of four corners: the band about the line over all areas from 0 up.

    Its score is that of the number of events and of the share of them that follow the line.
    """
    area, height = view.values(params.on[0]), view.values(params.on[1])
    good = np.isfinite(area) & np.isfinite(height) & (area > 0) & (height > 0)
    x, y = area[good], height[good]
    if (n := len(x)) < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    right = 2.0 * float(x.max())
    x, y = thinned(x, y, MOST_EVENTS)
    if float(x.min()) == float(x.max()):
        raise CannotFit("all areas are equal")
    inner = x < percentiles(x, [99])[0]  # those at the top of the scale have lost their ratio
    if len(np.unique(x[inner])) < 2:  # a line needs two areas; of these nearly all are equal
        inner = np.ones(len(x), dtype=bool)
    intercept, slope = _robust_line(x[inner], y[inner])
    if slope <= 0:
        raise CannotFit("height does not rise with area")
    line = intercept + slope * x
    if not (line > 0).any():
        raise CannotFit("height does not rise with area")
    relative = (y - line)[line > 0] / line[line > 0]
    spread = 1.4826 * median(np.abs(relative - median(relative)))
    band = max(params.spreads * spread, 0.02)
    reasons = [*few(n, params.min_events)]
    kept = float(np.mean(np.abs(relative) <= band))
    if kept < 0.5:
        reasons.append(f"only {kept:.0%} of the events follow the line of single cells")
    score = min(graded(kept, 0.5, 0.9), enough(n, params.min_events))
    gate = _band(params.on, intercept, slope, band, right)

    def influence() -> Influence:
        return _influence(params, gate, x[inner], y[inner], intercept, slope, spread, len(x) / n)

    return Fit(gate, n, tuple(reasons), score, influence=influence)


def _band(on: tuple[str, str], intercept: float, slope: float, band: float, right: float) -> Polygon:
    left = max(0.0, -intercept / slope) if intercept < 0 else 0.0
    at_left, at_right = intercept + slope * left, intercept + slope * right
    vertices = (
        (left, at_left * (1 - band)),
        (right, at_right * (1 - band)),
        (right, at_right * (1 + band)),
        (left, at_left * (1 + band) + 1e-9 * right),
    )
    return Polygon(on, vertices)


def _influence(
    params: Params, gate: Polygon, x: Array, y: Array, intercept: float, slope: float, spread: float, used: float
) -> Influence:
    """Of intercept, slope and the spread of the relative distance. x, y: what the line was fitted to, `used` of the events."""
    miss = y - (intercept + slope * x)
    limit = 4.685 * 1.4826 * median(np.abs(miss))
    middle, unit = float(x.mean()), float(x.std())
    near = np.clip(miss / limit if limit > 0 else np.zeros_like(miss), -1.0, 1.0) ** 2
    curve, along = (1 - near) * (1 - 5 * near), (x - middle) / unit
    slopes = np.array([[curve.sum(), (curve * along).sum()], [0.0, (curve * along**2).sum()]])
    slopes[1, 0] = slopes[0, 1]
    over = np.linalg.pinv(slopes)
    # how many events lie about the edge of the spread, per unit of it
    away = 0.9 * spread / 1.4826, 1.1 * spread / 1.4826
    line = intercept + slope * x
    distance = np.abs(np.divide(miss, line, out=np.full_like(miss, np.inf), where=line > 0))
    there = float(np.count_nonzero((distance > away[0]) & (distance <= away[1]))) / max(away[1] - away[0], 1e-300)

    def pull(columns: Sequence[Array]) -> Array:
        area, height = columns
        off = height - (intercept + slope * area)
        with np.errstate(invalid="ignore", divide="ignore"):
            weighed = off * np.clip(1 - (off / limit) ** 2, 0, None) ** 2 if limit > 0 else np.zeros_like(off)
            relative = np.abs(off / (intercept + slope * area))
        weighed = np.where(np.isfinite(weighed), weighed, 0.0)
        moved = (
            np.column_stack([weighed, weighed * np.where(np.isfinite(area), (area - middle) / unit, 0.0)]) @ over
        )
        by_slope = moved[:, 1] / unit
        wider = (
            1.4826 * np.where(relative > spread / 1.4826, 0.5, -0.5) / there if there > 0 else np.zeros(len(off))
        )
        return np.column_stack([moved[:, 0] - by_slope * middle, by_slope, wider])

    pulls = pull([x, y])
    numbers = np.array([intercept, slope, spread])
    right = gate.vertices[1][0]

    def moved_gate(numbers: Array) -> Polygon | None:
        at, rise, wide = (float(number) for number in numbers)
        return _band(params.on, at, rise, max(params.spreads * wide, 0.02), right) if rise > 0 else None

    def held(gate: Gate) -> Array:
        inside = contains(gate, dict(zip(params.on, (x, y), strict=True)), {}, len(x))
        return np.einsum("i,ij->j", inside - inside.mean(), pulls)

    return Influence(
        params.on, numbers, crossed(pulls, pulls), lambda columns: used * pull(columns), moved_gate, held
    )


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept and slope; starts from the line through the origin with the median ratio."""
    intercept, slope = 0.0, median(y / x)
    for _ in range(20):
        miss = y - (intercept + slope * x)
        scale = 1.4826 * median(np.abs(miss))
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
