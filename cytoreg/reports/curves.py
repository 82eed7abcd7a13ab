"""The ROC curve of an analysis, with its area, the cut-off and the line of a value that tells nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.reports.coefficients import Found, value_and_interval
from cytoreg.reports.svg import GREY, INK, Panel, Scale, Tick, chart, line, mark, path, text
from cytoreg.reports.trajectories import Style
from cytoreg.reports.words import label

__all__ = ["draw_roc"]

WIDTH, HEIGHT = 440.0, 312.0
PANEL = Panel(Scale(0, 100, 50, 274), Scale(0, 100, 262, 38))
TICKS: Sequence[Tick] = [(v, f"{v:g}") for v in (0.0, 25.0, 50.0, 75.0, 100.0)]


def draw_roc(seen: pd.DataFrame, styles: Sequence[Style], rows: Sequence[Found]) -> tuple[Markup, str]:
    """seen: the corners of each curve, those of no arm being over all; rows: the estimates, their areas and the cut-off.

    Where the arms are hidden only the curve over all of them is drawn.
    """
    over_all = seen[seen["arm"].isna()]
    arms = [style for style in styles if style.name and (seen["group"] == style.name).any()]
    parts = [
        PANEL.axes(TICKS, TICKS, x_label="% of those without, at or beyond the cut-off", y_label="% of those with")
    ]
    parts.append(line(PANEL.at(0, 0), PANEL.at(100, 100), stroke=GREY, stroke_dasharray="2 4"))
    colour = GREY if arms else styles[0].colour
    dash = "6 4" if arms else None
    for style in arms:
        own = seen[seen["group"] == style.name]
        corners = [PANEL.at(x, y) for x, y in zip(own["x"], own["y"], strict=True)]
        parts.append(path(corners, stroke=style.colour, stroke_width=2.4))
    corners = [PANEL.at(x, y) for x, y in zip(over_all["x"], over_all["y"], strict=True)]
    parts.append(path(corners, stroke=colour, stroke_width=1.8 if arms else 2.4, stroke_dasharray=dash))
    best = int(np.argmax((over_all["y"] - over_all["x"]).to_numpy(float)))
    parts.append(mark(*corners[best], "diamond", 5.0, fill="#fff", stroke=INK, stroke_width=1.8))
    said = _areas(rows, bool(arms))
    y = 58.0
    for words, shown, mine in said:
        own_style = next((style for style in arms if style.name == mine), None)
        if own_style is not None:
            parts.append(line((284, y - 4), (300, y - 4), stroke=own_style.colour, stroke_width=2.4))
        elif words == "all arms":
            parts.append(line((284, y - 4), (300, y - 4), stroke=GREY, stroke_width=1.8, stroke_dasharray="6 4"))
        indent = 304 if own_style is not None or words == "all arms" else 284
        parts.append(text(indent, y, words, anchor="start", class_="legend"))
        parts.append(text(indent, y + 16, shown, anchor="start", class_="tick"))
        y += 42
    cut = next((row for row in rows if row.term.startswith("cut-off by")), None)
    if cut is not None and cut.estimate:
        value, limits = value_and_interval(cut.estimate)
        parts.append(mark(290, y - 4, "diamond", 4.0, fill="#fff", stroke=INK, stroke_width=1.6))
        parts.append(text(304, y, f"cut-off {value}", anchor="start", class_="legend"))
        parts.append(text(304, y + 16, limits, anchor="start", class_="tick"))
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    areas = "; ".join(f"{words}: {shown}" for words, shown, _ in said)
    alt = f"ROC curve of {x_label} for {y_label}. Area under it: {areas or 'none'}."
    if cut is not None and cut.estimate:
        alt += f" Cut-off: {cut.estimate}."
    apart = "; the dashed curve mixes the arms and is descriptive" if arms else ""
    caption = (
        f"Of those with and without {y_label}, the share at or beyond each cut-off{apart}. Dotted: a value that tells nothing, area "
        "0.5. Diamond: the cut-off by Youden's index, as it is before its optimism is taken off."
    )
    return chart(WIDTH, HEIGHT, alt, *parts), caption


def _areas(rows: Sequence[Found], by_arm: bool) -> list[tuple[str, str, str]]:
    """Of each area that is known: in words, with its interval, and the arm it is of."""
    said = []
    for row in rows:
        if not row.term.startswith("area under") or not math.isfinite(row.ends[0]):
            continue
        words = (
            "all arms"
            if "over all arms" in row.term
            else row.arm
            if row.arm and by_arm
            else "area under the curve"
        )
        if row.primary and "within arms" in row.term:
            words = "area within arms"
        said.append((words, row.estimate, row.arm))
    return said
