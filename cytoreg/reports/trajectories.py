"""Values over time: of a cohort by arm, and of one patient with the activity score on the same days."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup
from scipy import stats

from cytoreg.reports.svg import (
    COLOURS,
    GREY,
    INK,
    SHAPES,
    Panel,
    Scale,
    Tick,
    chart,
    day_ticks,
    element,
    legend,
    line,
    mark,
    path,
    span_of,
    text,
    tick_text,
)
from cytoreg.reports.words import label

__all__ = ["Axis", "Style", "bands_of", "cohort_trajectory", "patient_trajectory", "styles_of"]

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

    def ticks_in(self, low: float, high: float, most: int = 7) -> Sequence[Tick]:
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
    clipped = [(max(a, low), min(b, high)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
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
        *_bands(panel, value, False),
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


def patient_trajectory(
    points: pd.DataFrame, value: str, score: str, axis: Axis, infusions: Sequence[float], *, wide: bool
) -> Markup:
    """Two panels on one axis of time: the percentage with its 95 % interval, and the activity score.

    points: visit, x, value, low, high, score, a row a visit. infusions: their days. A visit without a value
    has a cross on the base line of the panel. wide: for a desk; else for a phone.
    """
    width, left, right = (900.0, 54.0, 884.0) if wide else (400.0, 46.0, 390.0)
    points = points.dropna(subset=["x"]).sort_values("x", kind="stable")
    x_span = span_of(points["x"], pad=0.06, include=infusions)
    x = Scale(*x_span, left, right)
    ticks = axis.ticks_in(*x_span, 9 if wide else 6)
    upper = Panel(x, Scale(*span_of([*points["value"], *points["low"], *points["high"]], pad=0.12), 206, 50))
    panels = [upper]
    parts = [upper.axes([] if score else ticks, x_label="" if score else axis.name, y_label=label(value))]
    if score:
        span = span_of(points["score"], pad=0.12, include=BORDERS[score][:1] if score in BORDERS else ())
        lower = Panel(x, Scale(*span, 428, 258))
        panels.append(lower)
        parts += _bands(lower, score, True)
        parts.append(lower.axes(ticks, x_label=axis.name, y_label=label(score)))
    for number, day in enumerate(infusions, start=1):
        parts.append(
            line((x(day), 34), (x(day), panels[-1].bottom), stroke=INK, stroke_width=1.0, stroke_dasharray="3 3")
        )
        parts.append(mark(x(day), 30, "triangle", 4.5, fill=INK, transform=f"rotate(180 {x(day):.1f} 30)"))
        said = f"infusion {number}" if wide else f"inf. {number}"
        parts.append(text(x(day), 20, said, class_="tick"))
    for panel, column, colour, shape in zip(panels, ("value", "score"), COLOURS, SHAPES, strict=False):
        known = points.dropna(subset=[column])
        places = [panel.at(a, b) for a, b in zip(known["x"], known[column], strict=True)]
        if len(places) > 1:
            parts.append(path(places, stroke=colour, stroke_width=2.0))
        if column == "value":
            parts += [panel.whisker(r.x, r.low, r.high, colour, 1.8) for r in known.itertuples()]
        parts += [mark(*place, shape, 4.8, fill=colour, stroke="#fff", stroke_width=1.4) for place in places]
        for gap in points[points[column].isna()]["x"]:
            parts.append(text(x(gap), panel.bottom - 4, "×", class_="gap"))
    height = 470 if score else 250
    return chart(
        width,
        height,
        describe_patient(points, value, score, infusions),
        *parts,
        class_="wide" if wide else "narrow",
    )


def describe_patient(points: pd.DataFrame, value: str, score: str, infusions: Sequence[float]) -> str:
    """The figure of a patient in words."""
    said = []
    for row in points.itertuples():
        pair = f"{row.visit or 'sample'}: {label(value)} {_or_none(row.value)}"
        said.append(pair + (f", {label(score)} {_or_none(row.score)}" if score else ""))
    days = f" Infusions on day {', '.join(f'{day:g}' for day in infusions)}." if len(infusions) else ""
    return f"Values over time. {'; '.join(said)}.{days}"


def _bands(panel: Panel, score: str, named: bool) -> list[Markup]:
    """The categories of a score behind the data; borders only where they are not named."""
    parts = []
    for low, high, name, colour in bands_of(score, panel.y.low, panel.y.high):
        top, bottom = panel.y(high), panel.y(low)
        if not named:
            if low > panel.y.low:
                parts.append(
                    line((panel.left, bottom), (panel.right, bottom), stroke=GREY, stroke_dasharray="2 4")
                )
            continue
        parts.append(
            element("rect", x=panel.left, y=top, width=panel.right - panel.left, height=bottom - top, fill=colour)
        )
        if bottom - top > 13:
            parts.append(text(panel.right - 5, top + 12, name, anchor="end", class_="band"))
    return parts


def _places(panel: Panel, own: pd.DataFrame) -> list[tuple[float, float]]:
    return [panel.at(x, y) for x, y in zip(own["x"], own["y"], strict=True)]


def _dots(panel: Panel, own: pd.DataFrame, style: Style, size: float) -> Markup:
    return Markup("").join(mark(*place, style.shape, size, fill=style.colour) for place in _places(panel, own))


def _dodges(n: int) -> list[float]:
    """Shifts that keep the intervals of groups apart."""
    return [5.0 * (i - (n - 1) / 2) for i in range(n)]


def _or_none(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:.3g}"
