"""What kind of number an estimate is: how it is written, where no effect lies, and its interval drawn on that scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.reports.svg import COLOURS, GREY, Scale, chart, line, mark
from cytoreg.reports.words import SPACE, factor, number, percent_with_interval, plain, signed

__all__ = [
    "FACTORS",
    "NO_EFFECT",
    "draw_interval",
    "estimate_text",
    "kind_of",
    "ranges_of",
    "scaled_unit",
    "term_text",
]


@dataclass(frozen=True)
class _Kind:
    """null: no effect, on the scale of the analysis; None where the number is no effect. ends: its possible range."""

    null: float | None
    ends: tuple[float, float] | None = None


KINDS: Mapping[str, _Kind] = {
    "correlation": _Kind(0.0, (-1.0, 1.0)),
    "risk": _Kind(0.0, (-1.0, 1.0)),  # a difference of shares
    "area": _Kind(0.5, (0.0, 1.0)),  # under a ROC curve, or any share that is a half by chance
    "share": _Kind(None, (0.0, 1.0)),
    "difference": _Kind(0.0),
    "slope": _Kind(0.0),
    "odds": _Kind(0.0),  # kept as logarithms, so that no effect, a factor of 1, is 0
    "ratio": _Kind(0.0),
    "hazard": _Kind(0.0),
    "level": _Kind(None),
    "percent": _Kind(None),  # a level kept as log odds
    "geometric": _Kind(None),  # a level kept as a logarithm
    "days": _Kind(None),
    "count": _Kind(None),
    "test": _Kind(None),
}
FACTORS: Mapping[str, str] = {"odds": "odds × ", "ratio": "× ", "hazard": "hazard × "}
NO_EFFECT = "0 for a difference, a slope or a correlation, 1 for a factor, 0.5 for an area under the curve"
LEVELS = {"linear": "level", "logit": "percent", "log": "geometric"}
CHANGES = {"linear": "difference", "logit": "odds", "log": "ratio"}
# How a term begins, or what it holds, and what its number is; the first that fits. None: as the scale of the analysis says.
TERMS: Sequence[tuple[str, str | None]] = (
    ("correlation): ", "share"),  # an intraclass correlation, a share of the variance
    ("correlation", "correlation"),
    ("reliability of", "share"),
    ("area under", "area"),
    ("share that fell", "area"),
    ("share ", "share"),
    ("power for", "share"),
    ("sensitivity at", "share"),
    ("specificity at", "share"),
    ("cut-off by", None),
    ("Youden's index", "correlation"),
    ("subjects for a power", "count"),
    ("median days", "days"),
    ("log hazard", "hazard"),
    ("log odds ratio", "odds"),
    ("risk difference", "risk"),
)


def kind_of(row: Mapping[str, Any], scale: str, *, level: bool = False) -> str:
    """What an estimate is, by its type and term; one of `KINDS`.

    scale: of the outcome in the analysis. level: whether a cut-off is one of a value, not of a change.

    >>> kind_of({"type": "trend", "term": "rank correlation with dose", "estimate": 0.3}, "linear")
    'correlation'
    >>> kind_of({"type": "time_to_loss", "term": "median days to loss (Kaplan-Meier)", "estimate": 69.0}, "logit")
    'days'
    """
    term = str(row["term"])
    if pd.isna(row["estimate"]) and any(word in term for word in ("Wald", "(F)", "arms differ")):
        return "test"
    for words, kind in TERMS:
        if words in term:
            return kind or (LEVELS if level else CHANGES)[scale]
    if row["type"] == "change_correlation":
        return "correlation"
    if row["type"] == "arm_by_visit" and term.startswith("mean at"):
        return LEVELS[scale]
    if row["type"] in ("within_between", "lagged") or (row["type"] == "mediation" and " per unit of " in term):
        return "slope"
    if row["type"] == "trend" and scale == "linear":
        return "slope"
    return CHANGES[scale]


def scaled_unit(unit: str, scale: str) -> str:
    """The unit of a value on the scale of an analysis."""
    return {"logit": "log odds", "log": "natural log"}.get(scale, unit)


def term_text(term: str, kind: str) -> str:
    """A term as it is shown: its scale is said by its number, not by its words."""
    words = plain(term).removesuffix(", log odds").removesuffix(", natural log")
    if kind in FACTORS:
        words = words.replace("log odds ratio", "odds ratio").replace("log hazard of", "hazard of", 1)
    return words


def estimate_text(kind: str, estimate: float, low: float, high: float, unit: str = "") -> str:
    """An estimate with its interval and unit.

    >>> estimate_text("correlation", -0.41, -0.62, -0.15)
    '−0.41 (−0.62 to −0.15)'
    >>> estimate_text("difference", 1.234, 0.5, 2.0, "points")
    '+1.23 (+0.50 to +2.00) points'
    >>> estimate_text("percent", -3.0, -3.2, -2.8)
    '4.74\\xa0% (3.92–5.73)'
    """
    if math.isnan(estimate):
        return ""
    if kind == "percent":
        value, *ends = (100 / (1 + math.exp(-v)) for v in (estimate, low, high))
        return percent_with_interval(value, ends[0], ends[1])
    digits = _decimals(estimate, low, high)
    write: Callable[[float], str] = lambda value: signed(value, digits)  # noqa: E731
    lead = ""
    if kind in ("correlation", "area", "share"):
        write, unit = _two_decimals, ""
    elif kind == "risk":
        write, unit = lambda value: signed(value, 2), ""
    elif kind in FACTORS:
        write, lead, unit = _factor, FACTORS[kind], ""
    elif kind in ("days", "count"):
        write, unit = _whole, "days" if kind == "days" else "subjects"
    elif kind == "geometric":
        write = lambda value: number(math.exp(value))  # noqa: E731
    elif kind == "level":
        write = lambda value: number(value, digits)  # noqa: E731
    if kind in ("level", "geometric") and unit == "percentage points":
        unit = "%"
    limits = "" if math.isnan(low) or math.isnan(high) else f" ({write(low)} to {write(high)})"
    return f"{lead}{write(estimate)}{limits}" + (f"{SPACE if unit == '%' else ' '}{unit}" if unit else "")


def ranges_of(rows: Sequence[tuple[str, str, tuple[float, float, float]]]) -> dict[tuple[str, str], Scale]:
    """The scale on which the intervals of each kind and unit are drawn; no effect lies in its middle where there is one.

    rows: kind, unit, and estimate with its limits. Numbers of 0 to 1 and of -1 to 1 have their whole range.
    """
    seen: dict[tuple[str, str], list[float]] = {}
    for kind, unit, ends in rows:
        seen.setdefault((kind, unit), []).extend(v for v in ends if math.isfinite(v))
    scales = {}
    for (kind, unit), values in seen.items():
        known = KINDS[kind]
        low, high = (min(values, default=0.0), max(values, default=1.0))
        if known.ends is not None:
            low, high = known.ends
        elif known.null is not None:
            widest = max((abs(value) for value in values), default=0.0) or 1.0
            low, high = -widest, widest
        scales[kind, unit] = Scale(low, high, 6, 134)
    return scales


def draw_interval(
    kind: str, ends: tuple[float, float, float], x: Scale, words: str, *, primary: bool, aside: str = ""
) -> Markup:
    """An estimate with its interval, and the line of no effect where its kind has one; nothing without an estimate."""
    estimate, low, high = ends
    if not math.isfinite(estimate):
        return Markup("")
    colour = GREY if aside else COLOURS[0]
    null = KINDS[kind].null
    parts = [line((x(null), 1), (x(null), 19), stroke="#9AA4AF", stroke_width=1.0)] if null is not None else []
    if math.isfinite(low) and math.isfinite(high):
        parts.append(line((x(low), 10), (x(high), 10), stroke=colour, stroke_width=2.0))
    filled = (
        {"fill": "#fff", "stroke": colour, "stroke_width": 1.6} if aside == "descriptive" else {"fill": colour}
    )
    parts.append(mark(x(estimate), 10, "square" if primary else "circle", 4.0, **filled))
    return chart(140, 20, words, *parts, class_="forest")


def _decimals(estimate: float, low: float, high: float) -> int | None:
    """Two significant digits of the half width of the interval; none in particular without one."""
    half = (high - low) / 2
    return max(0, 1 - math.floor(math.log10(half))) if half > 0 and math.isfinite(half) else None


def _two_decimals(value: float) -> str:
    return number(value, 2)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _factor(value: float) -> str:
    return factor(float(np.exp(min(value, 700.0))))
