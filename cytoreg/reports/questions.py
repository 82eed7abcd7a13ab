"""The questions of the plan as a report puts them: asked in words, answered in a sentence, each estimate with its unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from markupsafe import Markup

from cytoreg.errors import AnalysisError
from cytoreg.reports.blinding import BY_ARM, may_show_row, sayable_note, withheld
from cytoreg.reports.coefficients import draw_directions, draw_paths
from cytoreg.reports.conduct import Conduct, conduct_of
from cytoreg.reports.curves import draw_roc
from cytoreg.reports.drawings import draw_question
from cytoreg.reports.quantities import draw_interval, estimate_text, kind_of, ranges_of, scaled_unit, term_text
from cytoreg.reports.results import Results, records
from cytoreg.reports.trajectories import styles_of
from cytoreg.reports.words import MINUS, label, p_value, plain, unit_of
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY
from cytoreg.stats.plot_points import points
from cytoreg.stats.questions import home_of
from cytoreg.stats.sentence import NOT_CAUSE

__all__ = ["Answer", "EstimateRow", "answers_of", "quantity_of", "without_caution"]


@dataclass(frozen=True)
class EstimateRow:
    """One line of the table of estimates. kind: what its number is, as `kind_of` says. aside: `descriptive` or `sensitivity` where
    it answers nothing."""

    term: str
    arm: str
    n: str
    estimate: str
    p: str
    p_adjusted: str
    note: str
    primary: bool
    aside: str
    kind: str
    unit: str
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
    conduct: Conduct | None = None


MOST_BLOCKS = 6  # that a plot of a trend tells apart by colour


def answers_of(results: Results) -> list[Answer]:
    """Each analysis of the results, in the order of the plan."""
    table = results.tables["associations"]
    names = list(dict.fromkeys(table["analysis"]))
    if results.plan is not None:
        declared = [name for name in results.plan.analyses if name in names]
        names = [*declared, *(name for name in names if name not in declared)]
    return [_answer(results, name, table[table["analysis"] == name]) for name in names]


def _answer(results: Results, name: str, table: pd.DataFrame) -> Answer:
    question = results.plan.analyses.get(name) if results.plan is not None else None
    kind = str(table["type"].iloc[0])
    hidden = withheld(results, name, kind)
    shown = [] if hidden else [row for row in records(table) if may_show_row(results, row)]
    rows = _with_forests([_row(results, row) for row in shown])
    primary = next((row for row in rows if row.primary), None)
    sentence = plain(str(results.provenance.get("sentences", {}).get(name, "")))
    first = table[table["primary"].astype(bool)]
    left_out = bool(hidden)
    if results.blinded and (hidden or (len(first) and primary is None) or not results.may_say(sentence)):
        sentence, hidden = "", hidden or BY_ARM
    figure, caption = Markup(""), ""
    if not left_out and kind in FROM_ROWS and question is not None:
        figure, caption = FROM_ROWS[kind](question, rows, first)
    elif question is not None and hasattr(home_of(kind), "points") and not left_out:
        figure, caption = _figure(results, name, rows)
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
        conduct=conduct_of(results, name, table),
    )


def _lagged(question: Any, rows: Sequence[EstimateRow], _: pd.DataFrame) -> tuple[Markup, str]:
    return draw_directions(rows)


def _mediation(question: Any, rows: Sequence[EstimateRow], first: pd.DataFrame) -> tuple[Markup, str]:
    compared = str(first["contrast"].iloc[0]).replace(" - ", f" {MINUS} ") if len(first) else ""
    return draw_paths(rows, compared or "treatment", label(question.mediator), label(question.outcome))


FROM_ROWS: Mapping[str, Callable[[Any, Sequence[EstimateRow], pd.DataFrame], tuple[Markup, str]]] = {
    "lagged": _lagged,
    "mediation": _mediation,
}


def quantity_of(results: Results, row: Mapping[str, Any]) -> tuple[str, str]:
    """What kind of number a row of `associations` is, and its unit."""
    question = results.plan.analyses.get(row["analysis"]) if results.plan is not None else None
    declared = str(getattr(question, "scale", None) or "linear") if question is not None else ""
    outcome, predictor = str(row["outcome"]), str(row["predictor"])
    pair = row["type"] in ("within_between", "lagged", "mediation")  # each value has a scale of its own there
    own, other = (
        _scale_of(results, name, declared, beside) if pair else declared
        for name, beside in ((outcome, predictor), (predictor, outcome))
    )
    own = own or _scale_said(str(row["term"]))
    kind = kind_of(row, own, level=getattr(question, "value_as", "") == "level")
    unit = unit_of(predictor if "cut-off by" in str(row["term"]) else outcome, results.linked)
    if kind == "slope":
        per = label(predictor)
        if pair:
            unit = scaled_unit(unit, own)
            per = f"{scaled_unit('', other)} of {per}" if scaled_unit("", other) else per
        unit = f"{unit or 'units'} per unit of {per}"
    return kind, unit


def _scale_of(results: Results, name: str, scale: str, beside: str) -> str:
    """The scale of one of two values: as the plan says for a percentage, as measured for a clinical value beside one."""
    if scale in ("", "linear") or name in results.percentages:
        return scale
    return "linear" if scale == "logit" or beside in results.percentages else scale


def _row(results: Results, row: Mapping[str, Any]) -> EstimateRow:
    kind, unit = quantity_of(results, row)
    note = str(row["note"])
    said = next((start for start in (DESCRIPTIVE, SENSITIVITY) if note.startswith(start)), "")
    rest = sayable_note(results, note.removeprefix(said).removeprefix("; "))
    ends = (float(row["estimate"]), float(row["ci_low"]), float(row["ci_high"]))
    n = f"{int(row['n_subjects']):,}"
    if row["n_observations"] != row["n_subjects"]:
        n += f" ({int(row['n_observations']):,} values)"
    contrasts = row["type"] == "arm_by_visit" and " - " in str(row["contrast"])
    term = term_text(str(row["term"]), kind)
    if kind == "test" and row["contrast"]:
        term = f"{term}, {row['contrast']}"
    return EstimateRow(
        term=term,
        arm=str(row["contrast"] if contrasts else row["arm"]).replace(" - ", f" {MINUS} "),
        n=n,
        estimate=estimate_text(kind, *ends, unit),
        p=p_value(row["p_value"]),
        p_adjusted=p_value(row["p_adjusted"]),
        note=plain(rest),
        primary=bool(row["primary"]),
        aside=said.partition(":")[0],
        kind=kind,
        unit=unit,
        ends=ends,
    )


def _with_forests(rows: Sequence[EstimateRow]) -> list[EstimateRow]:
    """Each row with its interval drawn; rows of one kind and unit share a scale."""
    scales = ranges_of([(row.kind, row.unit, row.ends) for row in rows])
    return [
        replace(
            row,
            forest=draw_interval(
                row.kind,
                row.ends,
                scales[row.kind, row.unit],
                f"{row.term}: {row.estimate}",
                primary=row.primary,
                aside=row.aside,
            ),
        )
        for row in rows
    ]


def _figure(results: Results, name: str, rows: Sequence[EstimateRow]) -> tuple[Markup, str]:
    try:
        seen = points(name, results.linked, results.plan) if results.plan is not None else pd.DataFrame()
    except AnalysisError as problem:
        return Markup(""), f"No figure: {problem}"
    if not len(seen):
        return Markup(""), "No figure: no subject has the values that this analysis needs."
    seen["group"] = seen["arm"].map(lambda arm: str(arm) if isinstance(arm, str) and arm else "")
    if results.blinded:
        seen["group"] = ""
    if seen.attrs["type"] == "trend" and len(set(seen["block"])) <= MOST_BLOCKS:
        seen["group"] = seen["block"].map(lambda block: str(block) if isinstance(block, str) else "")
    groups = [arm for arm in results.arm_names if arm in set(seen["group"])]
    groups += sorted(set(seen["group"]) - set(groups))
    if seen.attrs["type"] == "roc":
        return draw_roc(seen, styles_of(groups), rows)
    changes = [row for row in rows if row.term.startswith("mean change")]
    return draw_question(seen, styles_of(groups), changes, results.noun)


def _title(question: Any, table: pd.DataFrame) -> str:
    """An analysis as a question."""
    if question is not None:
        asked: str = home_of(question.type).title(question, label)
        return plain(asked)
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


def _scale_said(term: str) -> str:
    """The scale that a term says, of an analysis whose plan is not known."""
    return "logit" if ", log odds" in term else "log" if ", natural log" in term else "linear"
