"""Pictures of gates: the parent's events as a density, the outline of the gate on them, and what it counted.

A veil lies over what the gate leaves out, unless its outline is closed and so says it by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from cytoreg.reports.png import Counts, density_uri, grid_of
from cytoreg.reports.svg import Panel, Scale, area, chart, element, line, path, shortened, text
from cytoreg.reports.words import flag_words, percent_with_interval

__all__ = ["GatePicture", "gate_pictures"]

VEIL = "#1C2733"
OUTLINE = "#C24E00"  # darker than vermilion, to stand on deep blue and on white
LEFT, RIGHT, TOP, BOTTOM = 34.0, 206.0, 8.0, 164.0


@dataclass(frozen=True)
class GatePicture:
    """A drawing and what stands below it."""

    drawing: Markup
    population: str
    parent: str
    amount: str
    count: str
    doubts: tuple[str, ...]
    reasons: tuple[str, ...]
    method: str
    no_outline: str


def gate_pictures(stored: Mapping[str, Any]) -> list[GatePicture]:
    """The pictures of one sample, in the order of the tree. Raises StoreError for a damaged grid."""
    return [_gate_picture(picture) for picture in stored.get("pictures", ())]


def _gate_picture(picture: Mapping[str, Any]) -> GatePicture:
    parent = "all events" if picture["parent"] in ("root", "", None) else str(picture["parent"])
    numbers = [
        math.nan if picture.get(key) is None else float(picture[key]) for key in ("percent", "ci_low", "ci_high")
    ]
    count, of = int(picture.get("count") or 0), int(picture.get("parent_count") or 0)
    unplaced = "not_placed" in picture.get("flags", ())
    amount = "not measured" if unplaced else percent_with_interval(*numbers)
    doubts = [flag_words(flag) for flag in picture.get("flags", ())]
    return GatePicture(
        drawing=draw_gate(picture, f"{picture['population']} in {parent}: {amount} of {of} events"),
        population=str(picture["population"]),
        parent=parent,
        amount=amount,
        count=f"{count:,} of {of:,}",
        doubts=tuple(dict.fromkeys(doubts)),
        reasons=tuple(dict.fromkeys(str(reason) for reason in picture.get("reasons", ()))),
        method=str(picture.get("method") or ""),
        no_outline="" if picture.get("shapes") or unplaced else "what other gates leave; no outline of its own",
    )


def draw_gate(picture: Mapping[str, Any], describes: str) -> Markup:
    """The density with its axes and outline; a histogram where there is no y axis."""
    counts = grid_of(picture)
    x = picture["x"]
    x_scale = Scale(float(x["min"]), float(x["max"]), LEFT, RIGHT)
    flat = picture.get("y") is None
    y: Mapping[str, Any] = {"label": "events", "min": 0.0, "max": 1.0, "ticks": []} if flat else picture["y"]
    panel = Panel(x_scale, Scale(float(y["min"]), float(y["max"]), BOTTOM, TOP))
    inside = _histogram(counts) if flat else _density(counts)
    outlines = [_outline(shape, panel) for shape in picture.get("shapes", ())]
    clipped = element(
        "svg",
        inside,
        _veil(picture.get("left_out") or (), panel),
        *outlines,
        x=LEFT,
        y=TOP,
        width=RIGHT - LEFT,
        height=BOTTOM - TOP,
        viewBox=f"{LEFT:g} {TOP:g} {RIGHT - LEFT:g} {BOTTOM - TOP:g}",
    )
    frame = element(
        "rect",
        x=LEFT,
        y=TOP,
        width=RIGHT - LEFT,
        height=BOTTOM - TOP,
        fill="none",
        stroke="#9AA4AF",
        stroke_width=0.8,
    )
    axes = [
        *_ticks(x["ticks"], panel, horizontal=True),
        *_ticks(y["ticks"], panel, horizontal=False),
        text((LEFT + RIGHT) / 2, BOTTOM + 27, shortened(str(x["label"]), 32), class_="gate-label"),
        element(
            "text",
            shortened(str(y["label"]), 30),
            text_anchor="middle",
            class_="gate-label",
            transform=f"translate(8 {(TOP + BOTTOM) / 2:g}) rotate(-90)",
        ),
    ]
    return chart(212, 196, describes, clipped, frame, *axes, class_="gate")


def _density(counts: Counts) -> Markup:
    return element(
        "image",
        x=LEFT,
        y=TOP,
        width=RIGHT - LEFT,
        height=BOTTOM - TOP,
        href=density_uri(counts),
        preserveAspectRatio="none",
    )


def _histogram(counts: Counts) -> Markup:
    """Counts on one axis, the highest bin at nine tenths of the height."""
    row = counts.reshape(-1).astype(float)
    top = row.max(initial=0.0) or 1.0
    step = (RIGHT - LEFT) / len(row)
    points = [(LEFT + (i + 0.5) * step, BOTTOM - 0.9 * (BOTTOM - TOP) * v / top) for i, v in enumerate(row)]
    return area(points, BOTTOM, fill="#BDD8EC", stroke="#1F6DA8", stroke_width=1.0)


def _veil(boxes: Sequence[Sequence[float]], panel: Panel) -> Markup:
    """One shape over all boxes (x from, x to, y from, y to), so that no edge between them shows."""
    steps = []
    for left, right, low, high in boxes:
        a, b, c, d = panel.x(float(left)), panel.x(float(right)), panel.y(float(low)), panel.y(float(high))
        steps.append(f"M{a:.1f} {c:.1f}H{b:.1f}V{d:.1f}H{a:.1f}Z")
    return element("path", d="".join(steps), fill=VEIL, fill_opacity=0.13) if steps else Markup("")


def _outline(shape: Mapping[str, Any], panel: Panel) -> Markup:
    drawn = {"stroke": OUTLINE, "stroke_width": 1.7}
    if shape["kind"] == "line":
        at = float(shape["at"])
        if shape["axis"] == "x":
            return line((panel.x(at), TOP), (panel.x(at), BOTTOM), **drawn)
        return line((LEFT, panel.y(at)), (RIGHT, panel.y(at)), **drawn)
    points = [panel.at(float(px), float(py)) for px, py in shape["points"]]
    return path(points, closed=bool(shape.get("closed", True)), stroke_linejoin="round", **drawn)


def _ticks(ticks: Sequence[Sequence[Any]], panel: Panel, *, horizontal: bool) -> list[Markup]:
    parts = []
    for at, words in _apart(ticks, panel.x if horizontal else panel.y):
        if horizontal:
            place = panel.x(float(at))
            parts.append(line((place, BOTTOM), (place, BOTTOM + 3), stroke="#9AA4AF"))
            parts.append(text(place, BOTTOM + 13, str(words), class_="gate-tick"))
        else:
            place = panel.y(float(at))
            middle = max(place, 2.8 * len(words))  # within the drawing
            parts.append(line((LEFT - 3, place), (LEFT, place), stroke="#9AA4AF"))
            parts.append(
                element(
                    "text",
                    words,
                    text_anchor="middle",
                    class_="gate-tick",
                    transform=f"translate({LEFT - 6:g} {middle:.1f}) rotate(-90)",
                )
            )
    return parts


def _apart(ticks: Sequence[Sequence[Any]], scale: Scale) -> list[tuple[float, str]]:
    """The ticks whose texts do not touch, 0 and then those far from it first."""
    kept: list[tuple[float, str]] = []
    for at, words in sorted(
        ((float(at), str(words)) for at, words in ticks), key=lambda t: (t[1] != "0", -abs(t[0]))
    ):
        if all(abs(scale(at) - scale(other)) >= 3.0 * (len(words) + len(said)) for other, said in kept):
            kept.append((at, words))
    return sorted(kept)
