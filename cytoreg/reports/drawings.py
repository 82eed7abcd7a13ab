"""The plot of each type of analysis: what it saw, and the line or interval that it found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.reports.durations import draw_changes, draw_durations
from cytoreg.reports.svg import (
    GREY,
    Panel,
    Scale,
    Tick,
    area,
    chart,
    legend,
    line,
    mark,
    nice_ticks,
    path,
    shortened,
    span_of,
    text,
    tick_text,
)
from cytoreg.reports.trajectories import Axis, Style, cohort_trajectory
from cytoreg.reports.words import label

__all__ = ["Change", "draw_question"]

WIDTH, HEIGHT = 440.0, 312.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 430.0, 48.0, 262.0
FACTORS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 5, 10, 20)
WIDE_RANGE = 30.0  # of doses, from which they are shown at equal steps
Drawn = tuple[Markup, str]


class Change(Protocol):
    """What the plot of a paired change needs of an estimate."""

    @property
    def arm(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def estimate(self) -> str: ...
    @property
    def ends(self) -> tuple[float, float, float]: ...


def draw_question(seen: pd.DataFrame, styles: Sequence[Style], changes: Sequence[Change], noun: str) -> Drawn:
    """The plot of an analysis, and its caption.

    seen: the points of `cytoreg.stats.points` with a column `group`, one of the styles' names. changes: the
    mean changes of a paired change, a row an arm.
    """
    drawn = DRAWINGS[str(seen.attrs["type"])]
    return drawn(seen, styles, changes, noun)


def _paired_change(seen: pd.DataFrame, styles: Sequence[Style], changes: Sequence[Change], noun: str) -> Drawn:
    """Before and after of each subject, by arm, and beside them the mean change with its interval."""
    y = Scale(*span_of([*seen["x"], *seen["y"]]), BOTTOM, TOP)
    x = Scale(0, 1, LEFT, 286)
    x_label, y_label = str(seen.attrs["x_label"]), str(seen.attrs["y_label"])
    value, _, start = x_label.rpartition(" at ")
    end = y_label.rpartition(" at ")[2]
    panel = Panel(x, y)
    parts = [panel.axes([], y_label=label(value))]
    width = 236 / len(styles)
    room = max(4, int(width / 13))
    for i, style in enumerate(styles):
        own = seen[seen["group"] == style.name]
        a, b = LEFT + width * (i + 0.25), LEFT + width * (i + 0.75)
        for before, after in zip(own["x"], own["y"], strict=True):
            parts.append(
                line((a, y(before)), (b, y(after)), stroke=style.colour, stroke_width=0.9, stroke_opacity=0.45)
            )
            parts += [
                mark(place, y(v), style.shape, 2.0, fill=style.colour) for place, v in ((a, before), (b, after))
            ]
        means = [(a, y(own["x"].mean())), (b, y(own["y"].mean()))]
        if len(own):
            parts += [
                path(means, stroke="#fff", stroke_width=5.0),
                path(means, stroke=style.colour, stroke_width=3.0),
            ]
        parts += [
            text(a, BOTTOM + 17, shortened(start, room), class_="tick"),
            text(b, BOTTOM + 17, shortened(end, room), class_="tick"),
        ]
    parts += _changes(changes, styles)
    if len(styles) > 1:
        parts.append(_legend(styles))
    words = f"{label(value)} of {len(seen)} {noun}s at {start} and {end}"
    found = "; ".join(f"{change.arm or 'all'} {change.estimate}" for change in changes if change.estimate)
    caption = f"Left: each {noun}'s {label(value)} at {start} and at {end} (bold: mean). Right: mean change with its 95 % interval."
    return chart(WIDTH, HEIGHT, f"{words}. Mean change: {found or 'none'}.", *parts), caption


def _changes(changes: Sequence[Change], styles: Sequence[Style]) -> list[Markup]:
    names = [style.name for style in styles]
    known = [change for change in changes if math.isfinite(change.ends[0])]
    known.sort(key=lambda change: names.index(change.arm) if change.arm in names else len(names))
    if not known:
        return [text(362, (TOP + BOTTOM) / 2, "no estimate", class_="label")]
    y = Scale(*span_of([v for change in known for v in change.ends], include=(0.0,), pad=0.12), BOTTOM, TOP)
    panel = Panel(Scale(0, len(known), 340, RIGHT), y)
    multiplied = known[0].kind in ("odds", "ratio")
    name = {"odds": "odds multiplied by", "ratio": "multiplied by"}.get(known[0].kind, "change")
    parts = [panel.axes([], _factor_ticks(y) if multiplied else None, y_label=name)]
    parts.append(
        line((panel.left, y(0)), (panel.right, y(0)), stroke=GREY, stroke_width=1.2, stroke_dasharray="4 3")
    )
    by_name = {style.name: style for style in styles}
    for i, change in enumerate(known):
        style = by_name.get(change.arm) if change.arm or len(styles) == 1 else None
        colour, shape = (style.colour, style.shape) if style is not None else (GREY, "circle")
        place = panel.x(i + 0.5)
        parts.append(panel.whisker(i + 0.5, change.ends[1], change.ends[2], colour, 2.2))
        parts.append(mark(place, y(change.ends[0]), shape, 5.0, fill=colour))
        if not change.arm and len(styles) > 1:
            parts.append(text(place, BOTTOM + 17, "all", class_="tick"))
    return parts


def _factor_ticks(y: Scale) -> list[Tick]:
    inside = [f for f in FACTORS if y.low <= math.log(f) <= y.high]
    kept = inside if len(inside) <= 6 else [f for f in inside if f in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    return [(math.log(f), f"{f:g}") for f in kept]


def _change_correlation(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    """The two changes against each other, with lines of one slope through each arm's mean."""
    slope = common_slope(seen["x"], seen["y"], seen["group"])
    panel, parts = _scatter(seen, styles, ends=_all_ends(seen, "group", slope))
    for style in styles:
        parts.append(_line_of(seen[seen["group"] == style.name], slope, panel, style, 2.2))
    one = f"A {'mark' if noun == 'sample' else noun} a point. "
    lines = (
        "The lines share one least-squares slope over the arms"
        if len(styles) > 1
        else "The line is by least squares"
    )
    caption = f"{one}{lines}; the correlation in the text is adjusted and by ranks where so declared."
    return chart(WIDTH, HEIGHT, _scatter_words(seen), *parts), caption


def _repeated_correlation(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    """All visits, with parallel lines through each subject's mean."""
    counts = seen.groupby("subject_id")["x"].transform("size")
    seen = seen[counts >= 2]
    slope = common_slope(seen["x"], seen["y"], seen["subject_id"])
    panel, parts = _scatter(seen, styles, size=2.4, ends=_all_ends(seen, "subject_id", slope))
    for style in styles:
        group = seen[seen["group"] == style.name]
        parts += [_line_of(own, slope, panel, style, 1.1) for _, own in group.groupby("subject_id", sort=False)]
    caption = (
        f"A point a visit; a line per {noun}, all of one slope, fitted within {noun}s without further adjustment."
    )
    return chart(WIDTH, HEIGHT, _scatter_words(seen), *parts), caption


def _arm_by_visit(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    name = str(seen.attrs["x_label"])
    ticks = None
    if name == "visit":
        ticks = [(float(x), str(visit)) for x, visit in seen.groupby("x")["visit"].first().items()]  # type: ignore[arg-type]
    drawing = cohort_trajectory(seen, str(seen.attrs["y_label"]), Axis(name, ticks), styles)
    return drawing, f"Thin: each {noun}. Bold: mean of the arm with its 95 % interval at each visit, as measured."


def _trend(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    """Values against dose, blocks apart; doses over a wide range stand at equal steps."""
    doses = sorted(set(seen["x"]))
    positive = [dose for dose in doses if dose > 0]
    spaced = len(doses) <= 12 and bool(positive) and positive[-1] / positive[0] >= WIDE_RANGE
    ticks = None
    shown = seen.copy()
    shown.attrs = dict(seen.attrs)
    if spaced:
        shown["x"] = seen["x"].map({dose: float(i) for i, dose in enumerate(doses)})
        ticks = [(float(i), tick_text(dose)) for i, dose in enumerate(doses)]
    slope = common_slope(seen["x"], seen["y"], seen["block"] if "block" in seen else seen["group"])
    ends = [] if spaced else _all_ends(seen, "group", slope)
    panel, parts = _scatter(shown, styles, x_ticks=ticks, ends=ends)
    if spaced:
        for style in styles:
            own = shown[shown["group"] == style.name].groupby("x")["y"].mean()
            if len(own) > 1:
                places = [panel.at(float(x), y) for x, y in own.items()]  # type: ignore[arg-type]
                parts.append(path(places, stroke=style.colour, stroke_width=1.8))
        said = "Doses stand at equal steps; lines join the means of a block."
    else:
        parts += [_line_of(seen[seen["group"] == s.name], slope, panel, s, 2.0) for s in styles]
        said = "The lines share one least-squares slope over the blocks."
    return chart(WIDTH, HEIGHT, _scatter_words(seen), *parts), f"A sample a point. {said}"


def _responder(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    """The value of those without and with the outcome; of arms the share with it."""
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    if x_label == "arm":
        panel = Panel(Scale(0, len(styles), LEFT, RIGHT), Scale(0, 100, BOTTOM, TOP))
        parts = [panel.axes([], y_label=f"% with {y_label}")]
        said = []
        for i, style in enumerate(styles):
            own = seen[seen["group"] == style.name]["y"]
            share = 100 * float(own.mean()) if len(own) else 0.0
            corners = [panel.at(i + 0.3, share), panel.at(i + 0.7, share)]
            parts.append(area(corners, panel.y(0), fill=style.colour, fill_opacity=0.8))
            parts.append(text(panel.x(i + 0.5), panel.y(share) - 5, f"{share:.0f} %", class_="tick"))
            parts.append(text(panel.x(i + 0.5), BOTTOM + 17, shortened(style.name or "all", 20), class_="tick"))
            said.append(f"{style.name or 'all'} {share:.0f} % of {len(own)}")
        words = f"Share with {y_label}: {'; '.join(said)}."
        return chart(WIDTH, HEIGHT, words, *parts), f"The share of {noun}s' visits with {y_label}, as observed."
    panel = Panel(Scale(0, 2, LEFT, RIGHT), Scale(*span_of(seen["x"]), BOTTOM, TOP))
    parts = [panel.axes([(0.5, "no"), (1.5, "yes")], x_label=y_label, y_label=x_label)]
    for answer in (0.0, 1.0):
        those = seen[seen["y"] == answer].sort_values("x", kind="stable")
        for place, (value, group) in enumerate(zip(those["x"], those["group"], strict=True)):
            style = next(style for style in styles if style.name == group)
            beside = answer + 0.5 + 0.28 * (2 * ((place * 0.618034) % 1) - 1)  # spread evenly, the same every time
            parts.append(mark(*panel.at(beside, value), style.shape, 2.6, fill=style.colour, fill_opacity=0.7))
        if len(those):
            middle = float(those["x"].mean())
            ends = (panel.at(answer + 0.15, middle), panel.at(answer + 0.85, middle))
            parts.append(line(*ends, stroke=GREY, stroke_width=2.2))
    if len(styles) > 1:
        parts.append(_legend(styles))
    words = f"{x_label} of {len(seen)} points without and with {y_label}."
    return chart(WIDTH, HEIGHT, words, *parts), f"A {noun}'s visit a point; the lines are means, as measured."


def _time_to_loss(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    return draw_durations(seen, styles, (WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM))


def _repeat_infusion(seen: pd.DataFrame, styles: Sequence[Style], _: Sequence[Change], noun: str) -> Drawn:
    return draw_changes(seen, styles, (WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM), noun)


def _cytokines(seen: pd.DataFrame, styles: Sequence[Style], changes: Sequence[Change], noun: str) -> Drawn:
    """As a paired change, of the value named first: its rows come first."""
    own: dict[str, Change] = {}
    for change in changes:
        own.setdefault(change.arm, change)
    drawn, caption = _paired_change(seen, styles, list(own.values()), noun)
    return drawn, f"{caption} A value beyond a limit of detection is drawn at the limit."


DRAWINGS: Mapping[str, Callable[[pd.DataFrame, Sequence[Style], Sequence[Change], str], Drawn]] = {
    "paired_change": _paired_change,
    "change_correlation": _change_correlation,
    "repeated_correlation": _repeated_correlation,
    "within_between": _repeated_correlation,
    "arm_by_visit": _arm_by_visit,
    "responder": _responder,
    "trend": _trend,
    "time_to_loss": _time_to_loss,
    "repeat_infusion": _repeat_infusion,
    "cytokines": _cytokines,
}


def common_slope(x: Any, y: Any, groups: Any) -> float:
    """The least-squares slope of y on x that groups share, each with its own level; NaN where x does not vary.

    >>> common_slope([0, 1, 0, 1], [0, 2, 5, 7], ["a", "a", "b", "b"])
    2.0
    """
    frame = pd.DataFrame({"x": np.asarray(x, float), "y": np.asarray(y, float), "group": [str(g) for g in groups]})
    within = frame[["x", "y"]] - frame.groupby("group")[["x", "y"]].transform("mean")
    spread = float((within["x"] ** 2).sum())
    return float((within["x"] * within["y"]).sum()) / spread if spread > 0 else math.nan


def _scatter(
    seen: pd.DataFrame,
    styles: Sequence[Style],
    *,
    size: float = 3.2,
    x_ticks: Sequence[Tick] | None = None,
    ends: Sequence[float] = (),
) -> tuple[Panel, list[Markup]]:
    x, y = span_of(seen["x"]), span_of([*seen["y"], *ends])
    panel = Panel(Scale(*x, LEFT, RIGHT), Scale(*y, BOTTOM, TOP))
    ticks = [(v, tick_text(v)) for v in nice_ticks(*x)] if x_ticks is None else x_ticks
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    parts = [panel.axes(ticks, x_label=x_label, y_label=y_label)]
    if "change of" in x_label:
        if x[0] < 0 < x[1]:
            parts.append(line((panel.x(0), TOP), (panel.x(0), BOTTOM), stroke=GREY, stroke_dasharray="2 4"))
        if y[0] < 0 < y[1]:
            parts.append(line((LEFT, panel.y(0)), (RIGHT, panel.y(0)), stroke=GREY, stroke_dasharray="2 4"))
    for style in styles:
        own = seen[seen["group"] == style.name]
        for a, b in zip(own["x"], own["y"], strict=True):
            parts.append(mark(*panel.at(a, b), style.shape, size, fill=style.colour, fill_opacity=0.75))
    if len(styles) > 1:
        parts.append(_legend(styles))
    return panel, parts


def _all_ends(seen: pd.DataFrame, by: str, slope: float) -> list[float]:
    """The heights at which the lines of all groups end, so that the panel holds them."""
    return [y for _, own in seen.groupby(by, sort=False) for _, y in _ends(own, slope)]


def _ends(own: pd.DataFrame, slope: float) -> list[tuple[float, float]]:
    """The ends of a line of a given slope through the mean of some points, over their range."""
    if len(own) < 2 or math.isnan(slope):
        return []
    middle_x, middle_y = float(own["x"].mean()), float(own["y"].mean())
    return [(float(x), middle_y + slope * (float(x) - middle_x)) for x in (own["x"].min(), own["x"].max())]


def _line_of(own: pd.DataFrame, slope: float, panel: Panel, style: Style, width: float) -> Markup:
    ends = [panel.at(*end) for end in _ends(own, slope)]
    return path(ends, stroke=style.colour, stroke_width=width, stroke_opacity=0.85) if ends else Markup("")


def _legend(styles: Sequence[Style]) -> Markup:
    return legend(LEFT, 14, [(style.name or "no arm", style.colour, style.shape) for style in styles], 380)


def _scatter_words(seen: pd.DataFrame) -> str:
    x_label, y_label = (label(str(seen.attrs[key])) for key in ("x_label", "y_label"))
    return f"Scatter of {len(seen)} points: {y_label} against {x_label}."
