"""Where one lies among all: a strip of the subjects' correlations, and samples in rising order with their intervals."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from cytoreg.reports.svg import (
    COLOURS,
    GREY,
    Panel,
    Scale,
    chart,
    line,
    mark,
    nice_ticks,
    path,
    shortened,
    span_of,
    text,
    tick_text,
)
from cytoreg.reports.words import label

__all__ = ["correlation_strip", "stacked", "value_strip"]

MOST_NAMED = 48
DOT = 3.6


def correlation_strip(correlations: pd.DataFrame, subject: str) -> Markup:
    """A dot a subject from -1 to 1, equal ones stacked, this one's filled and pointed at.

    correlations: subject_id, spearman.
    """
    known = correlations.dropna(subset=["spearman"])
    known = known.assign(_own=known["subject_id"] == subject).sort_values(
        "_own", kind="stable"
    )  # on top of its stack
    x = Scale(-1.0, 1.0, 24, 416)
    places = [x(float(r)) for r in known["spearman"]]
    levels = stacked(places, 2 * DOT + 0.8)
    step = min(2 * DOT + 0.8, 74 / max(max(levels, default=0), 1))
    base = 104.0
    parts = [
        line((x(-1), base + 7), (x(1), base + 7), stroke="#9AA4AF"),
        line((x(0), 18), (x(0), base + 7), stroke="#E3E7EC"),
    ]
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        parts += [
            line((x(value), base + 7), (x(value), base + 11), stroke="#9AA4AF"),
            text(x(value), base + 24, tick_text(value), class_="tick"),
        ]
    this: list[Markup] = []
    for name, place, level in zip(known["subject_id"], places, levels, strict=True):
        y = base - level * step
        if name == subject:
            tip = y - DOT - 3
            this = [
                path([(place, tip), (place + 5, tip - 8), (place - 5, tip - 8)], closed=True, fill=COLOURS[1]),
                mark(place, y, "circle", DOT + 1.2, fill=COLOURS[1], stroke="#fff", stroke_width=1.0),
            ]
        else:
            parts.append(mark(place, y, "circle", DOT, fill="#B4BCC5", stroke="#fff", stroke_width=0.6))
    parts += this
    parts.append(text(220, base + 42, "own correlation over visits (Spearman)", class_="label"))
    own = known[known["subject_id"] == subject]["spearman"]
    where = f"; this one at {own.iloc[0]:.2f}" if len(own) else "; this one has none"
    return chart(440, 152, f"Correlations of {len(known)} subjects from -1 to 1{where}.", *parts)


def stacked(places: list[float], width: float) -> list[int]:
    """The level at which each dot stands so that none covers another, lowest free first.

    >>> stacked([0.0, 0.5, 10.0], 2.0)
    [0, 1, 0]
    """
    taken: list[list[float]] = []
    levels = []
    for place in places:
        level = next(
            (i for i, row in enumerate(taken) if all(abs(place - other) >= width for other in row)), len(taken)
        )
        if level == len(taken):
            taken.append([])
        taken[level].append(place)
        levels.append(level)
    return levels


def value_strip(rows: pd.DataFrame, value: str) -> Markup:
    """Samples in rising order of a percentage, each with its interval and, where there is room, its name.

    rows: name, value, low, high.
    """
    known = rows.dropna(subset=["value"]).sort_values("value", kind="stable")
    named = len(known) <= MOST_NAMED
    step = 16.0 if named else max(2.0, 720 / max(len(known), 1))
    height = 62 + step * max(len(known), 1)
    left = 150.0 if named else 30.0
    span = span_of([*known["value"], *known["low"], *known["high"]], include=(0.0,), pad=0.04)
    panel = Panel(Scale(max(0.0, span[0]), span[1], left, 426), Scale(0, max(len(known), 1), height - 40, 14))
    ticks = [(v, tick_text(v)) for v in nice_ticks(panel.x.low, panel.x.high)]
    parts = [panel.axes(ticks, [], x_label=label(value))]
    columns = (known[column] for column in ("name", "value", "low", "high"))
    for place, (name, middle, low, high) in enumerate(zip(*columns, strict=True)):
        y = panel.y(place + 0.5)
        if named:
            parts.append(text(left - 8, y + 4, shortened(str(name), 22), anchor="end", class_="tick"))
        if math.isfinite(low) and math.isfinite(high):
            parts.append(line((panel.x(low), y), (panel.x(high), y), stroke=GREY, stroke_width=1.6))
        parts.append(mark(panel.x(middle), y, "circle", 3.6 if named else 2.0, fill=COLOURS[0]))
    missing = len(rows) - len(known)
    described = f"{label(value)} of {len(known)} samples in rising order" + (
        f"; {missing} not measured." if missing else "."
    )
    return chart(440, height, described, *parts)
