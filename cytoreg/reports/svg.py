"""Charts as inline SVG: elements with everything escaped, scales, ticks, and a panel with axes to draw in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "Panel",
    "Scale",
    "area",
    "chart",
    "day_ticks",
    "element",
    "legend",
    "line",
    "mark",
    "nice_ticks",
    "path",
    "shortened",
    "span_of",
    "text",
    "tick_text",
]

# Okabe & Ito, Color Universal Design (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#6B7480"
INK = "#1C2733"
GRID = "#E3E7EC"
SHAPES = ("circle", "square", "triangle", "diamond")
DAY_STEPS = (1, 2, 7, 14, 30, 60, 90, 180, 365, 730, 1825)

Point = tuple[float, float]
Tick = tuple[float, str]
Anchor = Literal["start", "middle", "end"]


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """An SVG element; text and attribute values are escaped, `_` in a name stands for `-`, None leaves out.

    >>> element("text", "a < b", font_size=9.123456, x=None)
    Markup('<text font-size="9.12">a &lt; b</text>')
    """
    parts = [
        f' {name.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    inside = "".join(str(escape(part)) for part in content)
    opening = f"<{tag}{''.join(parts)}"
    return Markup(f"{opening}>{inside}</{tag}>" if inside else f"{opening}/>")  # noqa: S704 - all parts are escaped


def _value(value: object) -> str:
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Scale:
    """Data from low to high as user units of the drawing from start to end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high != self.low else 0.5
        return self.start + share * (self.end - self.start)


def span_of(values: Iterable[float], *, pad: float = 0.07, include: Sequence[float] = ()) -> tuple[float, float]:
    """Limits that hold all finite values with a margin; 0 to 1 where there are none.

    >>> span_of([0, 10], pad=0.1)
    (-1.0, 11.0)
    """
    known = [float(v) for v in (*values, *include) if v is not None and math.isfinite(v)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    margin = pad * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values in the span, at most `most` of them, in steps of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(0.3, 9.7)
    [2.0, 4.0, 6.0, 8.0]
    """
    if not high > low:
        return [low]
    power = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50, 100)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [round(i * step, 12) for i in range(first, last + 1)]
    return []


def day_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Study days a calendar would mark: weeks, months of 30 days, years."""
    for step in DAY_STEPS:
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first + 1 <= most:
            return [float(i * step) for i in range(first, last + 1)]
    return nice_ticks(low, high, most)


def tick_text(value: float) -> str:
    """A tick as it is written, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


def text(x: float, y: float, words: str, *, anchor: Anchor = "middle", **attributes: object) -> Markup:
    """A line of text at a place."""
    return element("text", words, x=x, y=y, text_anchor=anchor, **attributes)


def path(points: Iterable[Point], *, closed: bool = False, **attributes: object) -> Markup:
    """A line through points in user units."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}", **{"fill": "none", **attributes})


def area(points: Sequence[Point], base: float, **attributes: object) -> Markup:
    """The area between points and a base line."""
    return path([(points[0][0], base), *points, (points[-1][0], base)], closed=True, **attributes)


def line(a: Point, b: Point, **attributes: object) -> Markup:
    """A straight line in user units."""
    return element("line", x1=a[0], y1=a[1], x2=b[0], y2=b[1], **attributes)


def mark(x: float, y: float, shape: str, size: float, **attributes: object) -> Markup:
    """A data point; shapes tell groups apart where colours cannot."""
    if shape == "square":
        return element("rect", x=x - size, y=y - size, width=2 * size, height=2 * size, **attributes)
    if shape == "triangle":
        return path(
            [(x, y - 1.3 * size), (x + 1.2 * size, y + size), (x - 1.2 * size, y + size)],
            closed=True,
            **attributes,
        )
    if shape == "diamond":
        r = 1.35 * size
        return path([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], closed=True, **attributes)
    return element("circle", cx=x, cy=y, r=size, **attributes)


def legend(x: float, y: float, entries: Sequence[tuple[str, str, str]], width: float) -> Markup:
    """Names with their marks in a row, going on in a next one where the width is used up.

    entries: name, colour, shape.
    """
    parts, at_x, at_y = [], x, y
    for name, colour, shape in entries:
        shown = shortened(name, 34)
        needed = 34 + 7.0 * len(shown)
        if at_x > x and at_x + needed > x + width:
            at_x, at_y = x, at_y + 15
        parts.append(mark(at_x + 5, at_y - 4, shape, 4, fill=colour))
        parts.append(text(at_x + 14, at_y, shown, anchor="start", class_="legend"))
        at_x += needed
    return Markup("").join(parts)


def shortened(words: str, most: int) -> str:
    """Text that fits, its end cut where it must be.

    >>> shortened("CD127lo Tregs", 8)
    'CD127lo…'
    """
    return words if len(words) <= most else words[: most - 1] + "…"


@dataclass(frozen=True)
class Panel:
    """A rectangle with an x and a y scale."""

    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> Point:
        return self.x(x), self.y(y)

    @property
    def left(self) -> float:
        return self.x.start

    @property
    def right(self) -> float:
        return self.x.end

    @property
    def bottom(self) -> float:
        return self.y.start

    @property
    def top(self) -> float:
        return self.y.end

    def axes(
        self,
        x_ticks: Sequence[Tick] | None = None,
        y_ticks: Sequence[Tick] | None = None,
        *,
        x_label: str = "",
        y_label: str = "",
    ) -> Markup:
        """Grid lines, base line, tick texts and the names of the axes (that of y above the panel)."""
        ys = [(v, tick_text(v)) for v in nice_ticks(self.y.low, self.y.high)] if y_ticks is None else y_ticks
        xs = [(v, tick_text(v)) for v in nice_ticks(self.x.low, self.x.high)] if x_ticks is None else x_ticks
        parts = [line((self.left, self.y(v)), (self.right, self.y(v)), stroke=GRID) for v, _ in ys]
        parts += [text(self.left - 7, self.y(v) + 4, words, anchor="end", class_="tick") for v, words in ys]
        parts.append(line((self.left, self.bottom), (self.right, self.bottom), stroke="#9AA4AF"))
        for v, words in xs:
            parts.append(line((self.x(v), self.bottom), (self.x(v), self.bottom + 4), stroke="#9AA4AF"))
            parts.append(text(self.x(v), self.bottom + 17, words, class_="tick"))
        if x_label:
            middle = (self.left + self.right) / 2
            parts.append(text(middle, self.bottom + 35, shortened(x_label, 60), class_="label"))
        if y_label:
            parts.append(
                text(self.left - 32, self.top - 10, shortened(y_label, 60), anchor="start", class_="label")
            )
        return Markup("").join(parts)

    def whisker(self, x: float, low: float, high: float, colour: str, width: float = 1.4) -> Markup:
        """An interval as a vertical line; nothing where it is not known."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return Markup("")
        return line(self.at(x, low), self.at(x, high), stroke=colour, stroke_width=width)


def chart(width: float, height: float, describes: str, *content: Markup, class_: str = "") -> Markup:
    """The whole drawing; `describes` is what a reader who cannot see it is told."""
    return element(
        "svg",
        *content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=describes,
        class_=f"chart {class_}".strip(),
    )
