"""What each analysis allows to be claimed: the direction, where the adjusted p and the interval carry it.

A claim about the treatment rests on the contrast between arms. That a value changed in one arm is a claim about that arm
only, and "no change" is claimed only where an equivalence test within declared bounds says so, never from a large p.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from cytoreg.stats.estimate import DESCRIPTIVE, Estimate

__all__ = ["Claim", "claims_of", "claims_table"]

LEVEL = 0.05
NO_CLAIM = ("power", "agreement")  # they say how much can be known, not what is
CLAIMED, NOT_CLAIMED, NO_ANSWER = "claimed", "not claimed", "no answer"


@dataclass(frozen=True)
class Claim:
    """What one row lets be said. about: `answer` (the primary row), `treatment` (the contrast between arms) or
    `absence` (equivalence). verdict: claimed, not claimed, or no answer. direction: up, down, none or empty."""

    analysis: str
    about: str
    term: str
    arm: str
    contrast: str
    outcome: str
    direction: str
    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    p_adjusted: float
    family: str
    status: str
    verdict: str


def claims_of(rows: Sequence[Estimate]) -> list[Claim]:
    """The claims of all analyses, in their order: the primary row of each and, where it asks of several values, that of
    each of them, its contrast of arms, its equivalence."""
    found = []
    for row in rows:
        if row.type in NO_CLAIM:
            continue
        if row.primary or is_of_other_value(row):
            found.append(_claim(row, "answer"))
        elif is_absence(row):
            found.append(_claim(row, "absence"))
        elif is_contrast_of_arms(row):
            found.append(_claim(row, "treatment"))
    return found


def claims_table(rows: Sequence[Estimate]) -> pd.DataFrame:
    """The claims as a table."""
    claims = claims_of(rows)
    return pd.DataFrame({field.name: [getattr(claim, field.name) for claim in claims] for field in fields(Claim)})


def is_absence(row: Estimate) -> bool:
    """Whether a row is a test of equivalence."""
    return "equivalence" in row.term.lower()


def is_contrast_of_arms(row: Estimate) -> bool:
    """Whether a row of a change within subjects is the difference of that change between arms."""
    return row.type == "paired_change" and row.term.startswith("difference of mean changes")


def is_of_other_value(row: Estimate) -> bool:
    """Whether a row is to another cytokine what the primary row is to the first: the contrast of groups, else the change."""
    return row.type == "cytokines" and (
        row.term.startswith("difference of mean changes") or (row.term.startswith("mean change") and not row.arm)
    )


def _claim(row: Estimate, about: str) -> Claim:
    p = row.p_value if math.isnan(row.p_adjusted) else row.p_adjusted
    if math.isnan(p):
        verdict = NO_ANSWER
    else:  # a descriptive row answers nothing, also where nothing else was asked for
        verdict = CLAIMED if p < LEVEL and not row.note.startswith(DESCRIPTIVE) else NOT_CLAIMED
    return Claim(
        analysis=row.analysis,
        about=about,
        term=row.term,
        arm=row.arm,
        contrast=row.contrast,
        outcome=row.outcome,
        direction=_direction(row, about, verdict),
        estimate=row.estimate,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        p_value=row.p_value,
        p_adjusted=row.p_adjusted,
        family=row.family,
        status=row.status,
        verdict=verdict,
    )


NULLS: Mapping[str, float] = {
    "log odds ratio": 0.0,
    "odds ratio": 1.0,
    "hazard ratio": 1.0,
    "rate ratio": 1.0,
    "area under": 0.5,
    "AUC": 0.5,
}


def _direction(row: Estimate, about: str, verdict: str) -> str:
    """On which side of no effect the estimate lies, where something is claimed."""
    if verdict != CLAIMED:
        return ""
    if about == "absence" or math.isnan(row.estimate):
        return "none"
    null = next((value for word, value in NULLS.items() if word in row.term), 0.0)
    return "up" if row.estimate > null else "down"
