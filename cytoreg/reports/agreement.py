"""The pages of `cytoreg agree`: Bland-Altman plots and components of variation, or a Levey-Jennings chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from cytoreg.provenance import versions
from cytoreg.reports.pages import _environment, _write
from cytoreg.reports.svg import (
    COLOURS,
    GREY,
    INK,
    SHAPES,
    Panel,
    Scale,
    chart,
    legend,
    line,
    mark,
    path,
    shortened,
    span_of,
    text,
)
from cytoreg.stats.agreement.compare import Agreement, Pair
from cytoreg.stats.agreement.components import RESIDUAL, Components
from cytoreg.stats.agreement.control_chart import RULES, WARNING, Chart

__all__ = ["agreement_page", "bland_altman_picture", "chart_page", "components_picture", "levey_jennings_picture"]

WIDTH, HEIGHT = 520.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 500.0, 34.0, 270.0
METHOD = (
    "Bland & Altman 1986, 1999, 2007; Zou 2013; Lin 1989; Shrout & Fleiss 1979; REML with profile intervals as in Bates "
    "et al. 2015"
)
CHART_METHOD = "Levey & Jennings 1950; Westgard et al. 1981; counting intervals of Wilson"


def agreement_page(target: Path, found: Agreement, told: Sequence[str]) -> Path:
    """Write the page of a comparison; gives its path. Raises StoreError where it cannot be written."""
    sections: list[dict[str, Any]] = []
    for scale, components in found.components.items():
        unit = {"linear": "percentage points", "logit": "log odds", "log": "natural log"}[scale]
        sections.append(
            {
                "title": f"How far each factor explains the variation ({scale} scale)",
                "about": f"SD in {unit}; share is of the sum of all variances; intervals are 95 %.",
                "figures": [
                    {
                        "picture": components_picture(components),
                        "caption": "Share of the variance, with its interval.",
                    }
                ],
                "head": ["component", "levels", "SD", "share of variance", "p that it is zero"],
                "rows": [
                    [
                        c.name,
                        c.levels,
                        f"{c.sd:.3g} ({c.sd_low:.3g} to {c.sd_high:.3g})",
                        f"{100 * c.share:.1f} % ({100 * c.share_low:.1f} to {100 * c.share_high:.1f})",
                        "" if math.isnan(c.p_value) else f"{c.p_value:.2g}",
                    ]
                    for c in components.components
                ],
            }
        )
    if found.pairs:
        sections.append(
            {
                "title": "Each method against each other",
                "about": "Differences in percentage points; between the outer lines 95 % of them are expected.",
                "figures": [
                    {"picture": bland_altman_picture(pair), "caption": _caption(pair)} for pair in found.pairs
                ],
                "head": ["pair", "bias", "lower limit", "upper limit", "ratio", "concordance"],
                "rows": [_pair_row(pair) for pair in found.pairs],
            }
        )
    if found.icc:
        sections.append(
            {
                "title": "Intraclass correlations",
                "about": f"Of {found.n_rated} things that all {len(found.methods)} methods measured.",
                "figures": [],
                "head": ["form (Shrout & Fleiss)", "McGraw & Wong", "value", "95 % interval", "what it says"],
                "rows": [
                    [i.form, i.also, f"{i.value:.3f}", f"{i.low:.3f} to {i.high:.3f}", i.meaning]
                    for i in found.icc
                ],
            }
        )
    summary = f"{found.n} values" + (
        f" by {len(found.methods)} methods: {', '.join(found.methods)}." if found.methods else "."
    )
    return _page(target, f"Agreement of {found.value}", summary, sections, found.notes, told, METHOD)


def chart_page(
    target: Path, name: str, found: Chart, told: Sequence[str], beside: tuple[str, Sequence[float]] | None = None
) -> Path:
    """Write the page of a control chart; gives its path. Raises StoreError where it cannot be written."""
    broken = [f"{point.label}: {', '.join(point.rules)}" for point in found.points if point.rules]
    summary = f"Centre {found.centre:.4g}, SD {found.sd:.3g} ({found.source}). "
    summary += f"Rules met at {'; '.join(broken)}." if broken else "No rule of Westgard is met."
    head = ["run", "value", "counting interval", "distance (SD)", "rules", *([beside[0]] if beside else [])]
    rows = [
        [
            point.label,
            f"{point.value:.2f}",
            "" if math.isnan(point.low) else f"{point.low:.2f} to {point.high:.2f}",
            f"{point.z:+.2f}",
            " ".join(point.rules),
            *([f"{beside[1][i]:g}"] if beside else []),
        ]
        for i, point in enumerate(found.points)
    ]
    points = {
        "title": "The runs in their order",
        "about": "; ".join(f"{rule}: {words}" for rule, words in RULES.items()) + ".",
        "figures": [
            {
                "picture": levey_jennings_picture(found, name, beside),
                "caption": "Lines at the centre and 1, 2 and 3 SD; whiskers are counting intervals (Wilson, 95 %).",
            }
        ],
        "head": head,
        "rows": rows,
    }
    return _page(target, f"Control chart of {name}", summary, [points], found.notes, told, CHART_METHOD)


def bland_altman_picture(pair: Pair) -> Markup:
    """Difference against mean, with bias, limits of agreement and their intervals."""
    limits = pair.limits
    mean = ((pair.pairs["first"] + pair.pairs["second"]) / 2).tolist()
    difference = (pair.pairs["first"] - pair.pairs["second"]).tolist()
    lines = [limits.lower, limits.bias, limits.upper]
    panel = _panel(mean, [*difference, *lines, 0.0])
    parts = [
        panel.axes(x_label=f"mean of {pair.first} and {pair.second}", y_label=f"{pair.first} - {pair.second}")
    ]
    bands = ((limits.lower, limits.lower_ci), (limits.bias, limits.bias_ci), (limits.upper, limits.upper_ci))
    for at, (low, high) in bands:
        ends = [min(max(y, panel.y.low), panel.y.high) for y in (low, high)]
        corners = [panel.at(x, y) for x, y in zip((panel.x.low, panel.x.high), (ends[0],) * 2, strict=True)]
        corners += [panel.at(x, y) for x, y in zip((panel.x.high, panel.x.low), (ends[1],) * 2, strict=True)]
        parts.append(path(corners, closed=True, fill=GREY, fill_opacity=0.12, stroke="none"))
        dash = None if at == limits.bias else "5 4"
        parts.append(
            line(panel.at(panel.x.low, at), panel.at(panel.x.high, at), stroke=INK, stroke_dasharray=dash)
        )
        parts.append(text(panel.right, panel.y(at) - 4, f"{at:+.2f}", anchor="end", class_="label"))
    subjects = list(dict.fromkeys(pair.pairs["subject"]))
    styles = {s: (COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i, s in enumerate(subjects)}
    few = 1 < len(subjects) <= len(COLOURS)
    for x, y, subject in zip(mean, difference, pair.pairs["subject"], strict=True):
        colour, shape = styles[subject] if few else (COLOURS[0], "circle")
        parts.append(mark(panel.x(x), panel.y(y), shape, 3.2, fill=colour, fill_opacity=0.75))
    if few:
        parts.append(legend(LEFT, HEIGHT - 2, [(str(s), *styles[s]) for s in subjects], RIGHT - LEFT))
    said = f"Bland-Altman plot of {pair.first} and {pair.second}: bias {limits.bias:.2f}, {limits.lower:.2f} to {limits.upper:.2f}"
    return chart(WIDTH, HEIGHT, said, *parts)


def components_picture(found: Components) -> Markup:
    """A bar a component: its share of the variance, with the interval as a whisker."""
    rows = found.components
    height = 30.0 * len(rows) + 46
    panel = Panel(Scale(0, 100, 150.0, RIGHT), Scale(0, len(rows), height - 40, 8.0))
    parts = [panel.axes(y_ticks=[], x_label="share of the variance, percent")]
    for place, row in enumerate(rows):
        y = panel.y(len(rows) - place - 0.5)
        end = panel.x(100 * row.share)
        colour = GREY if row.name == RESIDUAL else COLOURS[0]
        corners = [(panel.left, y - 8), (end, y - 8), (end, y + 8), (panel.left, y + 8)]
        parts.append(path(corners, closed=True, fill=colour, fill_opacity=0.75))
        if math.isfinite(row.share_low) and math.isfinite(row.share_high):
            parts.append(line((panel.x(100 * row.share_low), y), (panel.x(100 * row.share_high), y), stroke=INK))
        parts.append(text(panel.left - 8, y + 4, shortened(row.name, 20), anchor="end", class_="label"))
    shares = ", ".join(f"{row.name} {100 * row.share:.0f} %" for row in rows)
    return chart(WIDTH, height, f"Shares of the variance: {shares}", *parts)


def levey_jennings_picture(found: Chart, name: str, beside: tuple[str, Sequence[float]] | None = None) -> Markup:
    """Values in the order of the runs, with lines at the centre and 1, 2 and 3 SD."""
    n = len(found.points)
    values = [v for p in found.points for v in (p.value, p.low, p.high)] + list(beside[1] if beside else ())
    low, high = span_of([*values, found.centre - 3 * found.sd, found.centre + 3 * found.sd])
    panel = Panel(Scale(-0.5, n - 0.5, LEFT, RIGHT - 34), Scale(low, high, BOTTOM, TOP))
    every = max(1, n // 8)
    most = 9 if n > 4 else 18
    ticks = [(float(i), shortened(p.label, most)) for i, p in enumerate(found.points) if i % every == 0]
    parts = [panel.axes(x_ticks=ticks, y_label=name)]
    for k in range(-3, 4):
        y = found.centre + k * found.sd
        colour = INK if k == 0 else COLOURS[1] if abs(k) == 3 else COLOURS[4] if abs(k) == 2 else GREY
        dash = None if k == 0 else "5 4"
        parts.append(line(panel.at(-0.5, y), panel.at(n - 0.5, y), stroke=colour, stroke_dasharray=dash))
        parts.append(
            text(panel.right + 6, panel.y(y) + 4, f"{k:+d} SD" if k else "mean", anchor="start", class_="tick")
        )
    spots = [panel.at(float(i), point.value) for i, point in enumerate(found.points)]
    parts.append(path(spots, stroke=COLOURS[0], stroke_width=1.4))
    for i, point in enumerate(found.points):
        parts.append(panel.whisker(float(i), point.low, point.high, COLOURS[0]))
        bad = bool(set(point.rules) - {WARNING})
        colour = COLOURS[1] if bad else COLOURS[4] if point.rules else COLOURS[0]
        parts.append(mark(*spots[i], "diamond" if point.rules else "circle", 4.0, fill=colour))
        if beside is not None and math.isfinite(beside[1][i]):
            x, y = panel.at(float(i), beside[1][i])
            parts.append(mark(x, y, "square", 6.0, fill="none", stroke=COLOURS[2]))
    if beside is not None:
        entries = [("here", COLOURS[0], "circle"), (f"{beside[0]} (open squares)", COLOURS[2], "square")]
        parts.append(legend(LEFT, HEIGHT - 6, entries, RIGHT - LEFT))
    said = f"Control chart of {name}: {n} runs, centre {found.centre:.4g}, SD {found.sd:.3g}"
    return chart(WIDTH, HEIGHT, said, *parts)


def _panel(xs: Sequence[float], ys: Sequence[float]) -> Panel:
    return Panel(Scale(*span_of(xs), LEFT, RIGHT), Scale(*span_of(ys), BOTTOM - 12, TOP))


def _caption(pair: Pair) -> str:
    limits = pair.limits
    tilt = (
        "" if not limits.slope_p < 0.05 else f" The difference changes with the mean (slope {limits.slope:+.2f})."
    )
    return f"{pair.first} - {pair.second}: {limits.n} pairs. Grey bands are 95 % intervals.{tilt}"


def _pair_row(pair: Pair) -> list[str]:
    at, c = pair.limits, pair.concordance

    def said(value: float, interval: tuple[float, float]) -> str:
        return f"{value:+.2f} ({interval[0]:+.2f} to {interval[1]:+.2f})"

    ratio = f"{pair.ratio.bias:.2f} ({pair.ratio.lower:.2f} to {pair.ratio.upper:.2f})" if pair.ratio else ""
    own = "" if math.isnan(c.low) else f" ({c.low:.3f} to {c.high:.3f})"
    row = [said(at.bias, at.bias_ci), said(at.lower, at.lower_ci), said(at.upper, at.upper_ci), ratio]
    return [f"{pair.first} - {pair.second}", *row, f"{c.value:.3f}{own}"]


def _page(
    target: Path, title: str, summary: str, sections: Any, notes: Sequence[str], told: Sequence[str], method: str
) -> Path:
    page = (
        _environment()
        .get_template("agreement.html")
        .render(
            kicker="Agreement",
            title=title,
            summary=summary,
            sections=sections,
            notes=list(notes),
            told=list(told),
            version=versions()["cytoreg"],
            method=method,
        )
    )
    _write(Path(target), page)
    return Path(target)
