"""The course of one patient: the percentage and the activity score on the same days, with infusions marked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from cytoreg.reports.svg import (
    COLOURS,
    INK,
    SHAPES,
    Panel,
    Scale,
    chart,
    element,
    line,
    mark,
    span_of,
    text,
)
from cytoreg.reports.trajectories import BORDERS, Axis, bands_of
from cytoreg.reports.words import label, number

__all__ = ["patient_trajectory"]

LABEL_ROOM = 64.0  # between infusions that are both named


def patient_trajectory(
    points: pd.DataFrame, value: str, score: str, axis: Axis, infusions: Sequence[float], *, wide: bool
) -> Markup:
    """Two panels on one axis of time: the percentage with its 95 % interval, and the activity score.

    points: visit, x, value, low, high, score, a row a visit. infusions: their days. A visit without a value
    has a cross on the base line of the panel. wide: for a desk; else for a phone.
    """
    width, left, right = (900.0, 54.0, 822.0) if wide else (400.0, 46.0, 330.0)
    points = points.dropna(subset=["x"]).sort_values("x", kind="stable")
    x_span = span_of(points["x"], pad=0.06, include=infusions)
    x = Scale(*x_span, left, right)
    ticks = axis.ticks_in(*x_span)
    ends = [*points["value"], *points["low"], *points["high"]]
    upper = Panel(x, Scale(*span_of(ends, pad=0.12), 222, 64))
    data = [text(left - 32, 16, label(value), anchor="start", class_="label"), *_values(points, upper)]
    if not score:
        below = [*_infusions(infusions, upper, wide), upper.axes(ticks, x_label=axis.name)]
        return _drawn(points, value, score, infusions, [*below, *data], wide, width, 266)
    span = span_of(points["score"], pad=0.12, include=BORDERS[score][:1] if score in BORDERS else ())
    lower = Panel(x, Scale(*span, 444, 276))
    below = [*_bands(lower, score), *_infusions(infusions, lower, wide), upper.axes([])]
    below += [lower.axes(ticks, x_label=axis.name, y_label=label(score)), *_band_names(lower, score)]
    data += _line(points, "score", lower, COLOURS[1], SHAPES[1])
    return _drawn(points, value, score, infusions, [*below, *data], wide, width, 486)


def _drawn(
    points: pd.DataFrame,
    value: str,
    score: str,
    infusions: Sequence[float],
    parts: Sequence[Markup],
    wide: bool,
    width: float,
    height: float,
) -> Markup:
    described = _in_words(points, value, score, infusions)
    return chart(width, height, described, *parts, class_="wide" if wide else "narrow")


def _in_words(points: pd.DataFrame, value: str, score: str, infusions: Sequence[float]) -> str:
    """The figure in words, for a reader who cannot see it."""
    said = []
    for visit, percent, activity in zip(points["visit"], points["value"], points["score"], strict=True):
        words = f"{visit or 'sample'}: {label(value)} {number(percent)}"
        said.append(words + (f", {label(score)} {number(activity, 2)}" if score else ""))
    days = f" Infusions on day {', '.join(f'{day:g}' for day in infusions)}." if len(infusions) else ""
    return f"Values over time. {'; '.join(said)}.{days}"


def _values(points: pd.DataFrame, panel: Panel) -> list[Markup]:
    whiskers = [
        panel.whisker(float(x), float(low), float(high), COLOURS[0], 1.8)
        for x, low, high in zip(points["x"], points["low"], points["high"], strict=True)
    ]
    return [*whiskers, *_line(points, "value", panel, COLOURS[0], SHAPES[0])]


def _line(points: pd.DataFrame, column: str, panel: Panel, colour: str, shape: str) -> list[Markup]:
    """The known values joined, dashed over visits without one, which have a cross on the base line."""
    known = [i for i, value in enumerate(points[column]) if math.isfinite(value)]
    at = {i: panel.at(float(points["x"].iloc[i]), float(points[column].iloc[i])) for i in known}
    parts = [
        line(at[a], at[b], stroke=colour, stroke_width=2.0, stroke_dasharray=None if b == a + 1 else "3 5")
        for a, b in itertools.pairwise(known)
    ]
    parts += [mark(*place, shape, 4.8, fill=colour, stroke="#fff", stroke_width=1.4) for place in at.values()]
    gaps = points[points[column].isna()]["x"]
    return parts + [text(panel.x(gap), panel.bottom - 4, "×", class_="gap") for gap in gaps]


def _infusions(days: Sequence[float], last: Panel, wide: bool) -> list[Markup]:
    """A dashed line through the panels at each infusion, named where there is room."""
    parts, named = [], -math.inf
    for number_, day in enumerate(days, start=1):
        at = last.x(day)
        parts.append(line((at, 46), (at, last.bottom), stroke=INK, stroke_width=1.0, stroke_dasharray="3 3"))
        parts.append(mark(at, 46, "triangle", 4.5, fill=INK, transform=f"rotate(180 {at:.1f} 46)"))
        if at - named >= LABEL_ROOM:
            parts.append(text(at, 36, f"infusion {number_}" if wide else f"inf. {number_}", class_="tick"))
            named = at
    return parts


def _bands(panel: Panel, score: str) -> list[Markup]:
    """The categories of a score behind the data."""
    width = panel.right - panel.left
    return [
        element(
            "rect", x=panel.left, y=panel.y(high), width=width, height=panel.y(low) - panel.y(high), fill=colour
        )
        for low, high, _, colour in bands_of(score, panel.y.low, panel.y.high)
    ]


def _band_names(panel: Panel, score: str) -> list[Markup]:
    """The names of the categories beside the panel, where their bands have room for them."""
    bands = bands_of(score, panel.y.low, panel.y.high)
    named = [
        (panel.y((low + high) / 2), name) for low, high, name, _ in bands if panel.y(low) - panel.y(high) > 11
    ]
    return [text(panel.right + 7, middle + 4, name, anchor="start", class_="band") for middle, name in named]
