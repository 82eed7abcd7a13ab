"""What a blinded report must leave out: whatever tells the arms apart, and whatever tells who was infused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cytoreg.reports.results import Results

__all__ = ["BY_ARM", "BY_INFUSION", "may_show_row", "sayable_note", "unmatched_of", "withheld"]

BY_ARM = "left out, as this report is blinded and the answer is by arm"
BY_INFUSION = "left out, as this report is blinded and the answer tells who was infused"
EXPOSURES = frozenset({"infusions_so_far", "dose_so_far", "days_since_infusion", "first_infusion_day"})
KEYS = ("value", "values", "x", "y", "on", "block", "outcome", "mediator", "covariate", "components", "by")
OF_ARMS = re.compile(r"^(arms differ|arm difference|arm x visit|difference of mean changes)")
ABOUT_ARMS = re.compile(r"(?<!all )(?<!for )\barms?\b")
COUNTS_BY_ARM = re.compile(r"\d+ with and \d+ without, \d+ with")


def withheld(results: Results, name: str, kind: str) -> str:
    """Why a blinded report leaves an analysis out whole, its figure too; empty where it may hold some of it.

    name, kind: the analysis and its type. An analysis whose question is not known is judged by its type.
    """
    if not results.blinded:
        return ""
    if kind == "arm_by_visit":
        return BY_ARM
    if kind == "repeat_infusion":
        return BY_INFUSION
    plan = results.plan
    question = plan.analyses.get(name) if plan is not None else None
    if plan is None or question is None:
        return BY_ARM if kind in ("responder", "mediation", "power") else ""
    arm = plan.treatment.arm
    if question.type == "responder" and question.value is None:
        return BY_ARM
    if question.type == "mediation" and question.treatment in (None, arm):
        return BY_ARM
    if question.type == "power":
        asked = plan.analyses.get(question.analysis)
        if asked is None or getattr(asked, "by", None) == arm:
            return BY_ARM
        return withheld(results, question.analysis, asked.type)
    named = _named(question) - (
        {arm} if kind in ("paired_change", "cytokines") else set()
    )  # they have rows of all
    if arm in named:
        return BY_ARM
    return BY_INFUSION if named & EXPOSURES else ""


def may_show_row(results: Results, row: Mapping[str, Any]) -> bool:
    """Whether a blinded report may hold an estimate: one of no arm, that does not name or compare them."""
    if not results.blinded:
        return True
    arm = results.plan.treatment.arm if results.plan is not None else "arm"
    if row["arm"] or row.get("predictor") == arm or OF_ARMS.match(str(row["term"])):
        return False
    return results.may_say(f"{row['term']} | {row['contrast']}")


def sayable_note(results: Results, note: str) -> str:
    """A note without the parts that speak of the arms, where the report is blinded."""
    if not results.blinded:
        return note
    parts = [part for part in note.split("; ") if not (ABOUT_ARMS.search(part) or COUNTS_BY_ARM.search(part))]
    return "; ".join(part for part in parts if results.may_say(part))


def unmatched_of(results: Results) -> pd.DataFrame:
    """The rows without a partner; of infusions none in a blinded report, as they say who was infused."""
    table = results.tables["unmatched"]
    return table[~table["side"].isin(["infusions", "infusion"])] if results.blinded else table


def _named(question: Any) -> set[str]:
    """The columns that a question is about; of a combination such as `arm:visit` its parts."""
    found: set[str] = set()
    for key in KEYS:
        given = getattr(question, key, None)
        for one in (given,) if isinstance(given, str) else given or ():
            found |= {one, *re.split(r"[:*]", str(one))}
    return found
