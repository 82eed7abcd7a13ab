"""Values of a cohort over time by arm, and the categories of the activity scores."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup
from scipy import stats

from cytoreg.reports.svg import (
    COLOURS,
    GREY,
    SHAPES,
    Panel,
    Scale,
    Tick,
    chart,
    day_ticks,
    legend,
    line,
    mark,
    path,
    span_of,
    tick_text,
)
from cytoreg.reports.words import label

__all__ = ["Axis", "Style", "bands_of", "cohort_trajectory", "styles_of", "visit_means"]

LEAST_FOR_INTERVAL = 3
# Upper borders of remission, low and moderate activity: Fransen & van Riel, Clin Exp Rheumatol 2005;23(Suppl
# 39):S93-99 (DAS28); Aletaha & Smolen, Clin Exp Rheumatol 2005;23(Suppl 39):S100-108 (CDAI, SDAI).
BORDERS: Mapping[str, tuple[float, float, float]] = {
    **dict.fromkeys(("das28", "das28_esr", "das28_crp"), (2.6, 3.2, 5.1)),
    "cdai": (2.8, 10.0, 22.0),
    "sdai": (3.3, 11.0, 26.0),
}
BAND_NAMES = ("remission", "low", "moderate", "high")
BAND_COLOURS = ("#E3F1EC", "#EEF4E4", "#FBF3E0", "#FAE9E2")


@dataclass(frozen=True)
class Style:
    """How a group of subjects is drawn."""

    name: str
    colour: str
    shape: str


@dataclass(frozen=True)
class Axis:
    """The axis of time. ticks: None for study days, which tick by themselves."""

    name: str
    ticks: Sequence[Tick] | None = None

    def ticks_in(self, low: float, high: float, most: int = 6) -> Sequence[Tick]:
        if self.ticks is not None:
            return self.ticks
        return [(day, tick_text(day)) for day in day_ticks(low, high, most)]


def styles_of(groups: Sequence[str]) -> list[Style]:
    """A colour and a mark for each group; one style where there are none."""
    names = list(groups) or [""]
    return [Style(name, COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i, name in enumerate(names)]


def bands_of(score: str, low: float, high: float) -> list[tuple[float, float, str, str]]:
    """The categories of an activity score that lie in a span: from, to, name, colour."""
    if score not in BORDERS:
        return []
    edges = (-math.inf, *BORDERS[score], math.inf)
    clipped = [(max(a, low), min(b, high)) for a, b in itertools.pairwise(edges)]
    bands = zip(clipped, BAND_NAMES, BAND_COLOURS, strict=True)
    return [(a, b, name, colour) for (a, b), name, colour in bands if b > a]


def cohort_trajectory(points: pd.DataFrame, value: str, axis: Axis, styles: Sequence[Style]) -> Markup:
    """A thin line per subject, and per group the mean with its 95 % t interval at each visit.

    points: subject_id, group, visit, x, y, a row a subject's visit. The mean of a visit stands at its median
    x; an interval is drawn from three subjects on.
    """
    points = points.dropna(subset=["x", "y"]).sort_values("x", kind="stable")
    means = visit_means(points)
    ends = [*points["y"], *means["low"], *means["high"]]
    x_span = span_of(points["x"], pad=0.05)
    panel = Panel(Scale(*x_span, 48, 428), Scale(*span_of(ends), 252, 44))
    parts = [
        panel.axes(axis.ticks_in(*x_span), x_label=axis.name, y_label=label(value)),
        *_borders(panel, value),
    ]
    width = max(0.5, 1.1 - len(points) / 600)
    for style in styles:
        group = points[points["group"] == style.name]
        for _, own in group.groupby("subject_id", sort=False):
            line_ = path(_places(panel, own), stroke=style.colour, stroke_width=width, stroke_opacity=0.35)
            parts.append(line_ if len(own) > 1 else _dots(panel, own, style, 1.8))
    for shift, style in zip(_dodges(len(styles)), styles, strict=True):
        own = means[means["group"] == style.name]
        places = [(panel.x(x) + shift, panel.y(y)) for x, y in zip(own["x"], own["mean"], strict=True)]
        if not places:
            continue
        parts.append(path(places, stroke="#fff", stroke_width=4.4))
        parts.append(path(places, stroke=style.colour, stroke_width=2.4))
        for (x, y), low, high in zip(places, own["low"], own["high"], strict=True):
            if math.isfinite(low):
                parts.append(line((x, panel.y(low)), (x, panel.y(high)), stroke=style.colour, stroke_width=2.0))
            parts.append(mark(x, y, style.shape, 4.2, fill=style.colour, stroke="#fff", stroke_width=1.2))
    if len(styles) > 1:
        parts.append(legend(48, 14, [(s.name, s.colour, s.shape) for s in styles], 380))
    n = points["subject_id"].nunique()
    described = "; ".join(
        f"{style.name or 'all'}: "
        + ", ".join(f"{v} {m:.3g}" for v, m in zip(own["visit"], own["mean"], strict=True))
        for style in styles
        if len(own := means[means["group"] == style.name])
    )
    return chart(440, 296, f"{label(value)} over time of {n} subjects. Means: {described}.", *parts)


def visit_means(points: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t interval of y by group and visit, at the median x: group, visit, n, x, mean, low, high."""
    rows = []
    for (group, visit), own in points.groupby(["group", "visit"], sort=False):
        n, mean = len(own), float(own["y"].mean())
        half = math.nan
        if n >= LEAST_FOR_INTERVAL:
            half = float(stats.t.ppf(0.975, n - 1) * own["y"].std(ddof=1) / math.sqrt(n))
        rows.append((group, visit, n, float(own["x"].median()), mean, mean - half, mean + half))
    frame = pd.DataFrame(rows, columns=["group", "visit", "n", "x", "mean", "low", "high"])
    return frame.sort_values("x", kind="stable")


def _borders(panel: Panel, score: str) -> list[Markup]:
    """The borders between the categories of a score."""
    lows = [panel.y(low) for low, *_ in bands_of(score, panel.y.low, panel.y.high) if low > panel.y.low]
    return [line((panel.left, y), (panel.right, y), stroke=GREY, stroke_dasharray="2 4") for y in lows]


def _places(panel: Panel, own: pd.DataFrame) -> list[tuple[float, float]]:
    return [panel.at(x, y) for x, y in zip(own["x"], own["y"], strict=True)]


def _dots(panel: Panel, own: pd.DataFrame, style: Style, size: float) -> Markup:
    return Markup("").join(mark(*place, style.shape, size, fill=style.colour) for place in _places(panel, own))


def _dodges(n: int) -> list[float]:
    """Shifts that keep the intervals of groups apart."""
    return [5.0 * (i - (n - 1) / 2) for i in range(n)]
