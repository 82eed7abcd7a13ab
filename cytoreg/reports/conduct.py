"""How an analysis was done, for its place in the report: declared or not, its estimand, who is left out and why, its checks.

Estimands in the terms of ICH E9(R1), 2019, section A.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.reports.blinding import sayable_note
from cytoreg.reports.results import Results
from cytoreg.reports.words import counted, joined, label, plain
from cytoreg.stats.estimate import DESCRIPTIVE, EXPLORATORY, SENSITIVITY
from cytoreg.stats.plan import ReadPlan, read_plan
from cytoreg.stats.values import Data

__all__ = ["Conduct", "conduct_of", "estimand_words"]

PARTS: Mapping[str, str] = {
    "treatment": "Treatment",
    "population": "Population",
    "variable": "Variable",
    "intercurrent_events": "Intercurrent events",
    "summary": "Summary",
    "missing": "Missing values",
}
CHECKED: Mapping[str, str] = {
    "paired_change": "normality of the changes (Shapiro-Wilk) and the weight of single subjects (DFBETAS)",
    "time_to_loss": "proportional hazards (Schoenfeld residuals)",
}
ANCOVA = "normality of the residuals (Shapiro-Wilk) and the weight of single subjects (DFBETAS)"
MMRM = "convergence of the model; normality of its residuals is not tested"
ROBUST: Mapping[str, str] = {
    "change_correlation": "by ranks no distribution is assumed; error of measurement by the corrected row",
    "repeated_correlation": "none tested; its error is by the jackknife over subjects, which needs no normal residuals",
    "within_between": MMRM,
    "lagged": "how well the values before foretell the earlier change (conditional F); its variance is cluster-robust",
    "responder": "whether the terms separate the answers",
    "roc": "none needed: the area is by ranks",
    "mediation": "none tested; what it rests on stands with its estimate",
}
TESTED = (
    *("residuals are not normal", "the estimate by more than its standard error", "proportional hazards"),
    *("converge", "separate the answers", "penalised", "Firth", "fallback", "could not be fitted"),
)


LOST = re.compile(r"left out|\black\b|responded|not seen")  # of a note: who is not in an answer


@dataclass(frozen=True)
class Conduct:
    """standing: confirmatory, planned or exploratory, with why. estimand: its parts. left_out: sentences with counts. checks:
    what was looked at and what was found."""

    standing: str
    estimand: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    checks: str


def conduct_of(results: Results, name: str, table: pd.DataFrame) -> Conduct:
    """How an analysis was done. table: its rows of `associations`."""
    kind = str(table["type"].iloc[0])
    return Conduct(
        standing=_standing(results, name, table),
        estimand=tuple(estimand_words(results, name)),
        left_out=tuple(_left_out(results, name, table)),
        checks=_checks(results, name, kind, table),
    )


def estimand_words(results: Results, name: str) -> list[tuple[str, str]]:
    """The parts of an estimand that a report may say."""
    said = (results.provenance.get("estimands") or {}).get(name) or {}
    parts = [(words, plain(str(said[key]))) for key, words in PARTS.items() if said.get(key)]
    return [(words, text) for words, text in parts if results.may_say(text)]


def _standing(results: Results, name: str, table: pd.DataFrame) -> str:
    """Whether it confirms, was planned without a family, or explores."""
    statuses = {str(status) for status in table["status"]} if "status" in table.columns else set()
    why = str((results.provenance.get("exploratory") or {}).get(name, ""))
    if EXPLORATORY in statuses or why:
        return f"exploratory, outside the declared plan{f': {why}' if why else ''}"
    answer = table[table["primary"].astype(bool)]
    family = str(answer["family"].iloc[0]) if len(answer) else ""
    if family:
        return f"confirmatory: declared in the plan, in the family “{family}”"
    return "declared in the plan, in no family: its p-value is not adjusted and confirms nothing"


def _left_out(results: Results, name: str, table: pd.DataFrame) -> list[str]:
    """How many subjects the answer has of those there are, what the others lack, and what was imputed."""
    answer = table[table["primary"].astype(bool)]
    if not len(answer):
        return []
    total = int(results.linked["subject_id"].nunique())
    shown = int(pd.to_numeric(answer["n_subjects"]).max())
    arm = str(answer["arm"].iloc[0])
    same = table[table["outcome"] == answer["outcome"].iloc[0]]
    every = max(int(pd.to_numeric(same["n_subjects"]).max()), shown)
    noun, lost = results.noun, total - every
    said = [f"{every:,} of {counted(total, noun)} are in it" + (f", {lost:,} left out" if lost else "")]
    if arm and shown < every:
        said.append(f"the answer is that of {counted(shown, noun)} in {arm}")
    said += _why(results, name)
    said += [part for part in _parts(sayable_note(results, str(answer["note"].iloc[0]))) if LOST.search(part)]
    said += _imputed(results, name)
    return [words for words in said if words and results.may_say(words)]


def _why(results: Results, name: str) -> list[str]:
    """What is missing of each value that the analysis takes, at its visits."""
    if results.plan is None or name not in results.plan.analyses:
        return []
    question: Any = results.plan.analyses[name]
    read = read_plan(results.plan)
    try:
        needs = _needs(question, results)
        said = [words for words in (_gap(results, read, name, *need) for need in needs) if words]
        return [*said, *_few(results, [value for value, visit in needs if not visit])]
    except AnalysisError:
        return []


def _needs(question: Any, results: Results) -> list[tuple[str, str]]:
    """Value and visit of each thing that a subject must have; the visit is empty where all are taken."""
    kind = question.type
    if kind in ("paired_change", "cytokines"):
        values = question.values if kind == "cytokines" else (question.value,)  # noqa: PD011
        return [(value, visit) for value in values for visit in (question.from_, question.to)]
    if kind == "change_correlation":
        return [(value, visit) for value in (question.x, question.y) for visit in (question.from_, question.to)]
    if kind == "mediation":
        first = [(value, question.from_) for value in (question.mediator, question.outcome)]
        return [*first, (question.mediator, question.mediator_at), (question.outcome, question.outcome_at)]
    if kind in ("responder", "roc"):
        needs = [(question.outcome, question.at or "")]
        if question.value is not None:
            changes = question.value_as == "change"
            needs += [(question.value, question.from_)] if changes else []
            needs.append((question.value, question.value_at or question.at or ""))
        return needs
    named = ("value", "x", "y", "on", "outcome", "covariate")
    return [(value, "") for value in (getattr(question, key, None) for key in named) if value]


def _gap(results: Results, read: ReadPlan, name: str, value: str, visit: str) -> str:
    """How many lack a value at a visit, those apart that have no such visit; or at how many visits it is missing."""
    if value not in results.linked.columns:
        return ""
    data = Data(results.linked, read, name)
    known = results.linked[value].notna()
    if not visit:
        lost = int((~known).sum())
        return f"{label(value)} is missing at {lost:,} of {counted(len(known), 'visit')}" if lost else ""
    rows = data.rows_at(visit, "visit")
    absent = results.linked["subject_id"].nunique() - len(rows)
    empty = int((~known.loc[list(rows)]).sum())
    parts = [f"{counted(absent, results.noun)} without that visit"] if absent else []
    parts += [f"{counted(empty, results.noun)} with the visit and without the value"] if empty else []
    return f"{label(value)} at {visit}: {joined(parts)}" if parts else ""


def _few(results: Results, values: Sequence[str]) -> list[str]:
    """How many subjects have all values at fewer than two visits, and so cannot be followed."""
    if not values or not results.has_visits or not set(values) <= set(results.linked.columns):
        return []
    there = results.linked[list(values)].notna().all(axis=1)
    visits = there.groupby(results.linked["subject_id"]).sum()
    few = int((visits < 2).sum())
    return [f"{counted(few, results.noun)} with values at fewer than two visits"] if few else []


def _imputed(results: Results, name: str) -> list[str]:
    """What was imputed, of the columns that the analysis names; and that a missed visit counts as no response."""
    if results.plan is None or name not in results.plan.analyses:
        return []
    question = results.plan.analyses[name]
    named = {value for value, _ in _needs(question, results)}
    table = results.tables.get("imputed")
    if table is None or not len(table):
        return []
    own = table[table["column"].isin(sorted(named))]
    return [
        f"{label(str(column))}: {int(rows['imputed'].sum()):,} of {int(rows['missing'].sum()):,} missing values were imputed"
        for column, rows in own.groupby("column", sort=False)
    ]


def _checks(results: Results, name: str, kind: str, table: pd.DataFrame) -> str:
    """What was looked at, and what the notes of the rows that may be shown say was found."""
    answer = table[table["primary"].astype(bool)]
    if len(answer) and answer[["estimate", "p_value"]].isna().all(axis=None):
        return "nothing was estimated, and so nothing checked"
    question: Any = results.plan.analyses.get(name) if results.plan is not None else None
    checked = CHECKED.get(kind) or ROBUST.get(kind, "")
    if kind == "arm_by_visit":
        checked = ANCOVA if getattr(question, "model", "") == "ancova" else MMRM
    if kind == "change_correlation" and getattr(question, "method", "") == "pearson":
        checked = "none tested: Pearson's correlation assumes that both changes are about normal"
    found: dict[str, list[str]] = {}
    for term, arm, note in zip(table["term"], table["arm"], table["note"], strict=True):
        if results.blinded and arm:
            continue
        for part in _parts(sayable_note(results, note)):
            if any(words in part for words in TESTED):
                found.setdefault(part, []).append(f"{plain(term)}{f', {arm}' if arm else ''}")
    said = "; ".join(f"{part} ({_where(where)})" for part, where in found.items())
    if not checked and not said:
        return ""
    if not said:
        return f"{checked}{'. Nothing was found' if kind in CHECKED or kind == 'arm_by_visit' else ''}"
    return f"{checked}. Found: {said}" if checked else said


def _where(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"{terms[0]} and {len(terms) - 1} more"


def _parts(note: str) -> list[str]:
    return [part for part in note.split("; ") if part and part not in (DESCRIPTIVE, SENSITIVITY)]
