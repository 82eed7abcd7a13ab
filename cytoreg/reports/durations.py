"""The plots of two questions about infusions: how long a response lasts, and what a second infusion changed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from cytoreg.reports.svg import (
    GREY,
    Panel,
    Scale,
    Tick,
    chart,
    legend,
    line,
    mark,
    nice_ticks,
    path,
    span_of,
    text,
    tick_text,
)
from cytoreg.reports.trajectories import Style
from cytoreg.reports.words import label

__all__ = ["draw_changes", "draw_durations"]

Box = tuple[float, float, float, float, float, float]  # width, height, left, right, top, bottom


def draw_durations(seen: pd.DataFrame, styles: Sequence[Style], box: Box) -> tuple[Markup, str]:
    """Kaplan-Meier steps of each arm. seen: the ends of the steps by arm, x in days and y in percent."""
    width, height, left, right, top, bottom = box
    hidden = len(styles) == 1 and len(set(seen["arm"].dropna())) > 1
    if hidden:  # a blinded report: curves of arms would show which is which
        words = "The arms are hidden, and so are their curves."
        return chart(width, height, words, text(width / 2, height / 2, words, class_="label")), words
    panel = Panel(Scale(0.0, float(seen["x"].max()) or 1.0, left, right), Scale(0.0, 100.0, bottom, top))
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    parts = [panel.axes(x_label=x_label, y_label=y_label)]
    said = []
    for style in styles:
        own = seen[seen["group"] == style.name]
        corners, before = [], 100.0
        for x, y in zip(own["x"], own["y"], strict=True):
            corners += [panel.at(x, before), panel.at(x, y)]
            before = float(y)
        parts.append(path(corners, stroke=style.colour, stroke_width=2.4))
        said.append(f"{style.name or 'all'} {before:.0f} % at the end")
    if len(styles) > 1:
        parts.append(legend(left, 14, [(style.name, style.colour, style.shape) for style in styles], 380))
    caption = "Kaplan–Meier: the share that still responds, of those who did; losses are found at visits."
    return chart(width, height, f"{y_label} against {x_label}: {'; '.join(said)}.", *parts), caption


def draw_changes(seen: pd.DataFrame, styles: Sequence[Style], box: Box, noun: str) -> tuple[Markup, str]:
    """The change after the second infusion against that after the first, with the line where they are equal."""
    width, height, left, right, top, bottom = box
    low, high = span_of([*seen["x"], *seen["y"]], include=(0.0,))
    panel = Panel(Scale(low, high, left, right), Scale(low, high, bottom, top))
    ticks: list[Tick] = [(value, tick_text(value)) for value in nice_ticks(low, high)]
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    parts = [panel.axes(ticks, ticks, x_label=x_label, y_label=y_label)]
    parts.append(line(panel.at(low, low), panel.at(high, high), stroke=GREY, stroke_dasharray="2 4"))
    for style in styles:
        own = seen[seen["group"] == style.name]
        for x, y in zip(own["x"], own["y"], strict=True):
            parts.append(mark(*panel.at(x, y), style.shape, 3.2, fill=style.colour, fill_opacity=0.75))
    words = f"{y_label} against {x_label} of {len(seen)} {noun}s infused twice."
    caption = f"A {noun} a point, as measured; dashed: both changes equal. A value that was high by chance falls after either."
    return chart(width, height, words, *parts), caption
