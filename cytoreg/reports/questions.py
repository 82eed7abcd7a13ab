"""The questions of the plan as a report puts them: asked in words, answered in a sentence, each estimate with its unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from cytoreg.errors import AnalysisError
from cytoreg.reports.drawings import draw_question
from cytoreg.reports.results import Results, records
from cytoreg.reports.svg import COLOURS, GREY, Scale, chart, line, mark
from cytoreg.reports.trajectories import styles_of
from cytoreg.reports.words import MINUS, factor, label, number, p_value, plain, signed, unit_of
from cytoreg.stats.estimate import DESCRIPTIVE
from cytoreg.stats.plot_points import points
from cytoreg.stats.questions import home_of
from cytoreg.stats.sentence import NOT_CAUSE

__all__ = ["Answer", "EstimateRow", "answers_of", "estimate_text", "kind_of"]


@dataclass(frozen=True)
class EstimateRow:
    """One line of the table of estimates. kind: correlation, difference, odds, ratio, slope or test."""

    term: str
    arm: str
    n: str
    estimate: str
    p: str
    p_adjusted: str
    note: str
    primary: bool
    descriptive: bool
    kind: str
    ends: tuple[float, float, float]  # estimate and its limits
    forest: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class Answer:
    """An analysis: what was asked, the answer in words, its figure and its estimates.

    hidden: why a blinded report leaves the answer out; empty where it does not.
    """

    name: str
    title: str
    sentence: str
    figure: Markup
    caption: str
    rows: tuple[EstimateRow, ...]
    primary: EstimateRow | None
    family: str = ""
    hidden: str = ""
    facts: tuple[tuple[str, str], ...] = field(default_factory=tuple)


BY_ARM = "left out, as this report is blinded and the answer is by arm"


def answers_of(results: Results) -> list[Answer]:
    """Each analysis of the results, in the order of the plan."""
    table = results.tables["associations"]
    names = list(dict.fromkeys(table["analysis"]))
    if results.plan is not None:
        declared = [name for name in results.plan.analyses if name in names]
        names = [*declared, *(name for name in names if name not in declared)]
    return [_answer(results, name, table[table["analysis"] == name]) for name in names]


def kind_of(row: Mapping[str, Any], scale: str) -> str:
    """What an estimate is, by its type and term: correlation, difference, odds, ratio, slope or test.

    >>> kind_of({"type": "trend", "term": "rank correlation with dose", "estimate": 0.3}, "linear")
    'correlation'
    """
    if "correlation" in str(row["term"]) or str(row["type"]).endswith("correlation"):
        return "correlation"
    if pd.isna(row["estimate"]) and any(word in str(row["term"]) for word in ("Wald", "(F)", "arms differ")):
        return "test"
    if "log odds ratio" in str(row["term"]):
        return "odds"
    if row["type"] == "responder":  # shares and their difference, whatever the scale of the value
        return "difference"
    if row["type"] == "roc":
        return "difference" if "cut-off by" in str(row["term"]) else "correlation"  # written as a share is
    if row["type"] in ("within_between", "lagged"):
        return "slope"
    if row["type"] == "mediation":
        return "difference"
    if scale in ("logit", "log"):
        return "odds" if scale == "logit" else "ratio"
    return "slope" if row["type"] == "trend" else "difference"


def estimate_text(kind: str, estimate: float, low: float, high: float, unit: str = "") -> str:
    """An estimate with its interval and unit.

    >>> estimate_text("correlation", -0.41, -0.62, -0.15)
    '−0.41 (−0.62 to −0.15)'
    >>> estimate_text("difference", 1.234, 0.5, 2.0, "points")
    '+1.23 (+0.50 to +2.00) points'
    """
    if math.isnan(estimate):
        return ""
    digits = _decimals(estimate, low, high)
    write: Callable[[float], str] = lambda value: signed(value, digits)  # noqa: E731
    lead = ""
    if kind == "correlation":
        write = _two_decimals
    elif kind in ("odds", "ratio"):
        write, lead, unit = _factor, "odds × " if kind == "odds" else "× ", ""
    limits = "" if math.isnan(low) or math.isnan(high) else f" ({write(low)} to {write(high)})"
    return f"{lead}{write(estimate)}{limits}" + (f" {unit}" if unit and kind != "correlation" else "")


def _answer(results: Results, name: str, table: pd.DataFrame) -> Answer:
    question = results.plan.analyses.get(name) if results.plan is not None else None
    scale = str(getattr(question, "scale", "linear")) if question is not None else _scale_said(table)
    rows = [_row(results, row, scale) for row in records(table) if _may_show(results, row)]
    rows = _with_forests(rows)
    primary = next((row for row in rows if row.primary), None)
    kind = str(table["type"].iloc[0])
    sentence = plain(str(results.provenance.get("sentences", {}).get(name, "")))
    first = table[table["primary"].astype(bool)]
    hidden = ""
    if results.blinded and (
        kind == "arm_by_visit" or (len(first) and primary is None) or not results.may_say(sentence)
    ):
        sentence, hidden = "", BY_ARM
    figure, caption = Markup(""), ""
    if (
        question is not None
        and hasattr(home_of(kind), "points")
        and not (results.blinded and kind == "arm_by_visit")
    ):
        figure, caption = _figure(results, name, rows, scale)
    family = str(first["family"].iloc[0]) if len(first) else ""
    return Answer(
        name=name,
        title=_title(question, table),
        sentence=sentence,
        figure=figure,
        caption=caption,
        rows=tuple(rows),
        primary=primary,
        family=family,
        hidden=hidden,
        facts=_facts(primary, family, results) if primary is not None and not hidden else (),
    )


def _may_show(results: Results, row: Mapping[str, Any]) -> bool:
    if not results.blinded:
        return True
    if row["arm"] or row["type"] == "arm_by_visit":
        return False
    return results.may_say(f"{row['term']} | {row['contrast']}")


def _row(results: Results, row: Mapping[str, Any], scale: str) -> EstimateRow:
    kind = kind_of(row, scale)
    unit = unit_of(str(row["outcome"]), results.linked)
    if kind == "slope":
        unit = f"{unit or 'units'} per unit of {label(str(row['predictor']))}"
    note = str(row["note"])
    descriptive = note.startswith(DESCRIPTIVE)
    rest = note.removeprefix(DESCRIPTIVE).removeprefix("; ")
    ends = (float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]))
    n = f"{int(row['n_subjects']):,}"
    if row["n_observations"] != row["n_subjects"]:
        n += f" ({int(row['n_observations']):,} values)"
    return EstimateRow(
        term=plain(str(row["term"])).removesuffix(", log odds").removesuffix(", natural log"),
        arm=str(row["contrast"] if row["type"] == "arm_by_visit" and row["contrast"] else row["arm"]).replace(
            " - ", f" {MINUS} "
        ),
        n=n,
        estimate=estimate_text(kind, *ends, unit),
        p=p_value(row["p_value"]),
        p_adjusted=p_value(row["p_adjusted"]),
        note=rest if results.may_say(rest) else "",
        primary=bool(row["primary"]),
        descriptive=descriptive,
        kind=kind,
        ends=ends,
    )


def _with_forests(rows: Sequence[EstimateRow]) -> list[EstimateRow]:
    """Each row with its interval drawn; rows of one kind share a scale with the line of no effect in its middle."""
    widest: dict[str, float] = {"correlation": 1.0}
    for row in rows:
        ends = [abs(v) for v in row.ends if math.isfinite(v)]
        if row.kind != "correlation" and ends:
            widest[row.kind] = max(widest.get(row.kind, 0.0), *ends)
    return [replace(row, forest=_forest(row, widest.get(row.kind, 1.0))) for row in rows]


def _forest(row: EstimateRow, widest: float) -> Markup:
    estimate, low, high = row.ends
    if not math.isfinite(estimate):
        return Markup("")
    x = Scale(-widest or -1.0, widest or 1.0, 6, 134)
    colour = GREY if row.descriptive else COLOURS[0]
    parts = [line((70, 1), (70, 19), stroke="#9AA4AF", stroke_width=1.0)]
    if math.isfinite(low) and math.isfinite(high):
        parts.append(line((x(low), 10), (x(high), 10), stroke=colour, stroke_width=2.0))
    filled = {"fill": "#fff", "stroke": colour, "stroke_width": 1.6} if row.descriptive else {"fill": colour}
    parts.append(mark(x(estimate), 10, "square" if row.primary else "circle", 4.0, **filled))
    return chart(140, 20, f"{row.term}: {row.estimate}", *parts, class_="forest")


def _figure(results: Results, name: str, rows: Sequence[EstimateRow], scale: str) -> tuple[Markup, str]:
    try:
        seen = points(name, results.linked, results.plan) if results.plan is not None else pd.DataFrame()
    except AnalysisError as problem:
        return Markup(""), f"No figure: {problem}"
    if not len(seen):
        return Markup(""), "No figure: no subject has the values that this analysis needs."
    seen["group"] = seen["arm"].map(lambda arm: str(arm) if isinstance(arm, str) and arm else "")
    if results.blinded:
        seen["group"] = ""
    if seen.attrs["type"] == "trend":
        seen["group"] = seen["block"].map(lambda block: str(block) if isinstance(block, str) else "")
    groups = [arm for arm in results.arm_names if arm in set(seen["group"])]
    groups += sorted(set(seen["group"]) - set(groups))
    changes = [row for row in rows if row.term.startswith("mean change")]
    return draw_question(seen, styles_of(groups), changes, results.noun)


def _title(question: Any, table: pd.DataFrame) -> str:
    """An analysis as a question."""
    if question is not None:
        asked: str = home_of(question.type).title(question, label)
        return asked
    return f"{label(str(table['outcome'].iloc[0]))}, {str(table['type'].iloc[0]).replace('_', ' ')}"


def _facts(row: EstimateRow, family: str, results: Results) -> tuple[tuple[str, str], ...]:
    """The numbers below a figure: estimate, p, p adjusted, n."""
    method = results.plan.multiplicity.method if results.plan is not None else "holm"
    adjusted = f"p adjusted ({'Holm' if method == 'holm' else 'Benjamini-Hochberg'}, family {family})"
    shown = [
        (row.term + (f", {row.arm}" if row.arm else ""), row.estimate or "no estimate"),
        ("p", row.p or "none"),
        (adjusted, row.p_adjusted),
        ("n", row.n),
    ]
    return tuple((name, value) for name, value in shown if value)


def without_caution(sentence: str) -> str:
    """A sentence without its reminder that association is not cause, where that is said once for all."""
    return sentence.replace(NOT_CAUSE, "").strip()


def _scale_said(table: pd.DataFrame) -> str:
    terms = " ".join(str(term) for term in table["term"])
    return "logit" if ", log odds" in terms else "log" if ", natural log" in terms else "linear"


def _decimals(estimate: float, low: float, high: float) -> int | None:
    """Two significant digits of the half width of the interval; none in particular without one."""
    half = (high - low) / 2
    return max(0, 1 - math.floor(math.log10(half))) if half > 0 and math.isfinite(half) else None


def _two_decimals(value: float) -> str:
    return number(value, 2)


def _factor(value: float) -> str:
    return factor(float(np.exp(value)))
