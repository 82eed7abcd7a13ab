"""The abstract, claim by claim: what was found in a simulated trial, what was planted, and what may be claimed.

A claim about the treatment rests on the contrast between arms, adjusted for its family; "no such change in controls" on an
equivalence test within declared bounds; "no serious adverse event" on the upper limit of their rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from cytoreg.clinical.safety.exposure import poisson_rate
from cytoreg.simulation.course import Course, trial_of
from cytoreg.simulation.disease import ARMS
from cytoreg.simulation.trial_planted import BETWEEN, trial_planted

__all__ = ["CLAIMS", "Claim", "claims_of_trial"]

LEVEL = 0.05
CONTROL, CELLS = ARMS


@dataclass(frozen=True)
class Claim:
    """One sentence of the abstract and the row of `associations` that answers it.

    term: how the row's term begins. direction: on which side of zero the claim lies, or none for equivalence. truth: the
    field of `Course` that is not zero where the claim is true; none is planted by Monte Carlo in `trial_planted`.
    """

    words: str
    analysis: str
    term: str
    direction: Literal["up", "down", "none"]
    truth: str
    outcome: str = ""
    arm: str = CELLS
    contrast: str = BETWEEN


_FALL, _RISE = "das28_fall_cells", "treg_rise_cells"
_DIFFERENCE, _SAME = "difference of mean changes", "equivalence (TOST), mean change"
CLAIMS = (
    Claim("TNF-alpha falls after the first infusion", "cytokines_fall", _DIFFERENCE, "down", "cytokine_fall_cells", "tnf_alpha"),
    Claim("IL-6 falls after the first infusion", "cytokines_fall", _DIFFERENCE, "down", "cytokine_fall_cells", "il6"),
    Claim("Treg % of CD4+ rises", "treg_rises", _DIFFERENCE, "up", _RISE),
    Claim("ACR20 response is more frequent", "acr_arms", "log odds ratio", "up", _FALL),
    Claim("DAS28 falls", "activity_falls", _DIFFERENCE, "down", _FALL),
    Claim("HAQ-DI falls", "function_improves", _DIFFERENCE, "down", _FALL),
    Claim("the lower Treg %, the sooner the benefit is lost", "durability", "log hazard of loss per", "down", "linked", arm="", contrast=""),
    Claim("a second infusion helps again", "again", "effect of the second infusion", "down", "second", arm="", contrast=""),
    Claim("no such change of Treg % in controls", "treg_rises", _SAME, "none", "treg_rise_control", arm=CONTROL, contrast=""),
    Claim("no such change of DAS28 in controls", "activity_falls", _SAME, "none", "das28_fall_control", arm=CONTROL, contrast=""),
    Claim("no such change of HAQ-DI in controls", "function_improves", _SAME, "none", "das28_fall_control", arm=CONTROL, contrast=""),
)  # fmt: skip


def claims_of_trial(
    found: pd.DataFrame,
    scenario: str | Course = "trial",
    *,
    serious: int | None = None,
    years: float | None = None,
    planted: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Each claim beside what was planted.

    found: the `associations` table of a trial. serious, years: serious adverse events in the arm with cells and patient-years
    there, for the last claim. planted: as `trial_planted` gives it; computed where it is not given. Columns: claim,
    analysis, estimate, ci_low, ci_high, p (adjusted where it has a family), planted (NaN where no single number stands for
    it), true, verdict: claimed, not claimed, or no answer. For an absence `true` says that nothing was planted there.
    """
    course, _ = trial_of(scenario)
    table = (
        trial_planted(course) if planted is None else planted.fillna({"arm": "", "contrast": "", "outcome": ""})
    )
    rows = []
    for claim in CLAIMS:
        row = _row_of(claim, found)
        true = _is_true(claim, course)
        given = {"claim": claim.words, "analysis": claim.analysis, "planted": _planted(claim, table), "true": true}
        if row is None:
            rows.append({**given, "verdict": "no answer"})
            continue
        p = row["p_adjusted"] if not math.isnan(row["p_adjusted"]) else row["p_value"]
        numbers = {key: float(row[key]) for key in ("estimate", "ci_low", "ci_high")}
        rows.append({**given, **numbers, "p": float(p), "verdict": _verdict(claim, numbers["estimate"], float(p))})
    if serious is not None and years:
        rows.append(_serious(serious, years, course))
    columns = ["claim", "analysis", "estimate", "ci_low", "ci_high", "p", "planted", "true", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _row_of(claim: Claim, found: pd.DataFrame) -> pd.Series | None:
    rows = found[(found["analysis"] == claim.analysis) & found["term"].str.startswith(claim.term)]
    for name, value in (("arm", claim.arm), ("contrast", claim.contrast), ("outcome", claim.outcome)):
        if value:
            rows = rows[rows[name] == value]
    rows = rows.sort_values("primary", ascending=False, kind="stable")
    return rows.iloc[0] if len(rows) else None


def _planted(claim: Claim, table: pd.DataFrame) -> float:
    quantity = claim.term.removeprefix("equivalence (TOST), ")
    rows = table[(table["analysis"] == claim.analysis) & table["quantity"].str.startswith(quantity)]
    for name, value in (("arm", claim.arm), ("contrast", claim.contrast), ("outcome", claim.outcome)):
        if value:
            rows = rows[rows[name] == value]
    return float(rows["planted"].iloc[0]) if len(rows) else math.nan


def _is_true(claim: Claim, course: Course) -> bool:
    if claim.truth == "second":
        return course.reinfusion != "none" and course.second_strength != 0 and course.das28_fall_cells != 0
    if claim.truth == "linked":
        return course.linked and course.das28_fall_cells != 0
    return bool(getattr(course, claim.truth)) != (claim.direction == "none")


def _verdict(claim: Claim, estimate: float, p: float) -> str:
    if math.isnan(p):
        return "no answer"
    right = claim.direction == "none" or (estimate > 0) == (claim.direction == "up")
    return "claimed" if p < LEVEL and right else "not claimed"


def _serious(count: int, years: float, course: Course) -> dict[str, object]:
    """Their rate for a patient-year with its exact Poisson limits; none at all is claimed where none was seen."""
    rate, low, high = poisson_rate(count, years)
    return {
        "claim": "no serious adverse event (rate for a patient-year)",
        "analysis": "adverse_events",
        "estimate": rate,
        "ci_low": low,
        "ci_high": high,
        "p": math.nan,
        "planted": course.serious,
        "true": course.serious == 0,
        "verdict": "not claimed" if count else "none seen",
    }
