"""Figures that are drawn from estimates alone: which value moves first, and the paths of a mediation."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from markupsafe import Markup

from cytoreg.reports.drawings import Change
from cytoreg.reports.svg import (
    COLOURS,
    GREY,
    INK,
    Point,
    Scale,
    chart,
    element,
    line,
    mark,
    nice_ticks,
    path,
    shortened,
    span_of,
    text,
    tick_text,
)

__all__ = ["Found", "draw_directions", "draw_paths", "value_and_interval"]

WIDTH = 440.0
LEFT, RIGHT = 104.0, 428.0
STEP = re.compile(
    r"change of (?P<later>.+) on the earlier (?P<what>change|level) of (?P<first>.+?)(, by the values (?P<when>before|a visit earlier))?, adjusted for"
)
BOX = {"fill": "#F5F7F9", "stroke": "#9AA4AF"}


class Found(Change, Protocol):
    """What a figure needs of an estimate: its term, and whether it answers the question, beside its numbers."""

    @property
    def term(self) -> str: ...
    @property
    def primary(self) -> bool: ...


def draw_directions(rows: Sequence[Found]) -> tuple[Markup, str]:
    """Both directions of a lagged analysis, one above the other, each on an axis of its own as their units differ."""
    panels: dict[tuple[str, str], list[tuple[str, Found]]] = {}
    for row in rows:
        if (step := STEP.match(row.term)) is not None and math.isfinite(row.ends[0]):
            plain = "least squares" if step["what"] == "change" else "levels"
            told = {None: plain, "before": "instruments"}.get(step["when"], "earlier ones")
            panels.setdefault((step["first"], step["later"]), []).append((told, row))
    if not panels:
        return Markup(""), "No figure: nothing could be estimated."
    parts, said, top = [], [], 18.0
    for (first, later), found in panels.items():
        x = Scale(*span_of([v for _, row in found for v in row.ends], include=(0.0,), pad=0.1), LEFT, RIGHT)
        base = top + 22 + 26 * len(found)
        parts.append(text(4, top, shortened(f"{first} first, then {later}", 62), anchor="start", class_="label"))
        parts.append(line((x(0), top + 12), (x(0), base), stroke=GREY, stroke_dasharray="4 3"))
        parts.append(line((LEFT, base), (RIGHT, base), stroke="#9AA4AF"))
        for value in nice_ticks(x.low, x.high):
            parts.append(line((x(value), base), (x(value), base + 4), stroke="#9AA4AF"))
            parts.append(text(x(value), base + 17, tick_text(value), class_="tick"))
        for place, (what, row) in enumerate(found):
            y = top + 26 + 26 * place
            colour = COLOURS[0] if what == "instruments" else GREY
            hollow = {"fill": "#fff", "stroke": colour, "stroke_width": 1.6}
            filled = hollow if what == "levels" else {"fill": colour}
            parts.append(text(LEFT - 8, y + 4, what, anchor="end", class_="tick"))
            if math.isfinite(row.ends[1]) and math.isfinite(row.ends[2]):
                parts.append(line((x(row.ends[1]), y), (x(row.ends[2]), y), stroke=colour, stroke_width=2.2))
            parts.append(mark(x(row.ends[0]), y, "square" if row.primary else "circle", 4.5, **filled))
            said.append(f"{first} first, then {later}, by {what}: {row.estimate}")
        top = base + 44
    caption = (
        "The later change of one value for each unit of the earlier change of the other, by instruments (blue), by instruments "
        "a visit earlier or least squares (grey), or of its earlier level (hollow), with its 95 % interval; square: the answer. Each direction has its own unit "
        "and axis; dashed: no link."
    )
    return chart(WIDTH, top - 20, f"Which moves first. {'; '.join(said)}.", *parts), caption


def draw_paths(rows: Sequence[Found], treatment: str, mediator: str, outcome: str) -> tuple[Markup, str]:
    """The paths of a mediation: treatment to mediator to outcome, the rest beside it, and their product and sum below.

    treatment: what is compared, in words. mediator, outcome: as they are said.
    """
    by_start = {
        key: next((row for row in rows if row.term.startswith(words) and math.isfinite(row.ends[0])), None)
        for key, words in (
            ("along", "effect along"),
            ("rest", "effect not along"),
            ("whole", "whole effect"),
            ("a", "effect of treatment on"),
        )
    }
    by_start["b"] = next((row for row in rows if " per unit of " in row.term and math.isfinite(row.ends[0])), None)
    if any(row is None for row in by_start.values()):
        return Markup(""), "No figure: the paths could not be estimated."
    texts = {key: row.estimate for key, row in by_start.items() if row is not None}
    places: dict[str, Point] = {"treatment": (78, 212), "mediator": (220, 40), "outcome": (362, 212)}
    names = {"treatment": treatment, "mediator": mediator, "outcome": outcome}
    parts = [
        _arrow((98, 194), (186, 60)),
        _arrow((254, 60), (342, 194)),
        _arrow((148, 212), (290, 212)),
    ]
    for key, (x, y) in places.items():
        parts.append(element("rect", x=x - 70, y=y - 18, width=140.0, height=36.0, rx=4, **BOX))
        parts.append(text(x, y + 4, shortened(names[key], 22), class_="legend"))
    parts += _two_lines(126, 118, texts["a"], "end")
    parts += _two_lines(314, 118, texts["b"], "start")
    parts += _two_lines(220, 184, texts["rest"], "middle")
    parts.append(text(220, 258, shortened(f"along {mediator}: {texts['along']}", 66), class_="legend"))
    parts.append(text(220, 278, f"whole effect: {texts['whole']}", class_="legend"))
    words = (
        f"Paths from {treatment} to {outcome}: on {mediator} {texts['a']}; from {mediator} on {outcome} {texts['b']}; "
        f"not along it {texts['rest']}; along it {texts['along']}; whole effect {texts['whole']}."
    )
    caption = (
        "Each arrow with its coefficient and 95 % interval. The effect along the upper path is the product of its two arrows; "
        "only the treatment was allotted."
    )
    return chart(WIDTH, 288, words, *parts), caption


def value_and_interval(words: str) -> tuple[str, str]:
    """An estimate without its unit, and its interval in brackets; the second is empty where there is none.

    >>> value_and_interval("−1.00 (−1.98 to −0.01) points")
    ('−1.00', '(−1.98 to −0.01)')
    """
    value, bracket, rest = words.partition(" (")
    return value, f"({rest.partition(')')[0]})" if bracket else ""


def _two_lines(x: float, y: float, words: str, anchor: str) -> list[Markup]:
    """An estimate over its interval."""
    return [
        element("text", shown, x=x, y=y + 16.0 * place, text_anchor=anchor, class_="tick" if place else "label")
        for place, shown in enumerate(filter(None, value_and_interval(words)))
    ]


def _arrow(start: Point, end: Point) -> Markup:
    """A straight arrow."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    ux, uy = dx / length, dy / length
    back = (end[0] - 9 * ux, end[1] - 9 * uy)
    head = [end, (back[0] - 4.5 * uy, back[1] + 4.5 * ux), (back[0] + 4.5 * uy, back[1] - 4.5 * ux)]
    return line(start, back, stroke=INK, stroke_width=1.6) + path(head, closed=True, fill=INK)
