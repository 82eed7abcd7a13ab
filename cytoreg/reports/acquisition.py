"""How a tube ran: events over time, and where the signal of its most restless channels stood; drawn where flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from cytoreg.reports.svg import COLOURS, GREY, Scale, chart, element, line, path, shortened, text, tick_text

__all__ = ["acquisition_strip"]

LEFT, RIGHT = 130.0, 470.0
RATE, LANE, TOP = 54.0, 34.0, 10.0
ODD = "#F6D9C4"
FARTHEST = 0.5  # a median that stands at the edge of the file's values


def acquisition_strip(course: Mapping[str, Any] | None) -> Markup | None:
    """The strip of one tube from what its gating stored (`quality.Quality.course`), or None where nothing is to be seen.

    Stretches that were found odd are shaded. The lower lanes show how far the median (or another percentile) of each
    stretch moved among the tube's values, from half of all events downwards to half of them upwards.
    """
    if not course or not (course.get("counts") or course.get("moved")):
        return None
    x = Scale(0.0, 1.0, LEFT, RIGHT)
    parts: list[Markup] = []
    y = TOP
    if counts := course.get("counts"):
        edges = [i / len(counts) for i in range(len(counts) + 1)]
        parts += _shades(x, edges, course.get("odd", ()), y, RATE)
        tall = Scale(0.0, max(*counts, 1), y + RATE, y)
        steps = [(x(edges[i + end]), tall(count)) for i, count in enumerate(counts) for end in (0, 1)]
        parts += [path(steps, stroke=COLOURS[0], stroke_width=1.2), *_frame(y, RATE, "events over time")]
        y += RATE + 8
    edges = [float(edge) for edge in course.get("edges", ())]
    for name, moved in course.get("moved", {}).items():
        lane = Scale(-FARTHEST, FARTHEST, y + LANE, y)
        places = [
            (x((a + b) / 2), lane(_held(value))) for a, b, value in zip(edges[:-1], edges[1:], moved, strict=True)
        ]
        parts += _shades(x, edges, course.get("bad", ()), y, LANE)
        parts.append(line((LEFT, lane(0)), (RIGHT, lane(0)), stroke="#CDD3DA"))
        parts += [path(places, stroke=COLOURS[1], stroke_width=1.4), *_frame(y, LANE, shortened(str(name), 18))]
        y += LANE + 6
    span = course.get("span")
    whole = (
        "all events" if course.get("along") != "time" else f"{tick_text(round(span, 1))} s" if span else "the end"
    )
    parts += [text(LEFT, y + 10, "0", class_="tick"), text(RIGHT, y + 10, whole, class_="tick")]
    odd = len(course.get("odd", ())) + len(course.get("bad", ()))
    return chart(490, y + 16, f"How the tube ran; {odd} stretches are marked as odd.", *parts)


def _held(value: float) -> float:
    return min(max(float(value), -FARTHEST), FARTHEST)


def _shades(x: Scale, edges: Sequence[float], which: Sequence[int], y: float, height: float) -> list[Markup]:
    return [
        element("rect", x=x(edges[i]), y=y, width=max(x(edges[i + 1]) - x(edges[i]), 0.6), height=height, fill=ODD)
        for i in which
    ]


def _frame(y: float, height: float, name: str) -> list[Markup]:
    return [
        element(
            "rect", x=LEFT, y=y, width=RIGHT - LEFT, height=height, fill="none", stroke=GREY, stroke_width=0.6
        ),
        text(LEFT - 8, y + height / 2 + 4, name, anchor="end", class_="tick"),
    ]
