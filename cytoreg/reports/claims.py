"""Claim by claim: what each analysis lets be said, and in a simulated study beside it what was planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.exposure import poisson_rate
from cytoreg.reports.blinding import may_show_row, withheld
from cytoreg.reports.coefficients import value_and_interval
from cytoreg.reports.quantities import estimate_text, term_text
from cytoreg.reports.results import Results, records
from cytoreg.reports.words import counted, label, p_value
from cytoreg.tables import read_table

__all__ = ["SERIOUS", "ClaimRow", "claims_of"]

SERIOUS = "serious events for a patient-year"
ABOUT = {"answer": "", "treatment": "the arms' changes differ", "absence": "no change beyond the declared bounds"}


@dataclass(frozen=True)
class ClaimRow:
    """A line of the table. planted: the true value as text, empty where none is known. inside: whether the interval holds it.
    right: what to say of the verdict, given the truth; empty without one."""

    title: str
    term: str
    arm: str
    estimate: str
    p: str
    p_adjusted: str
    standing: str
    planted: str
    inside: str
    verdict: str
    right: str


def claims_of(
    results: Results, titles: Mapping[str, str], say: Callable[[Any], tuple[str, str]]
) -> list[ClaimRow]:
    """The claims of a run that the report may show.

    titles: analysis -> its question. say: the kind and unit of a row of `associations`.
    """
    claims, found = results.tables["claims"], results.tables["associations"]
    planted = results.planted
    rows = []
    for claim in records(claims):
        same = found[(found["analysis"] == claim["analysis"]) & (found["term"] == claim["term"])]
        for key in ("arm", "contrast", "outcome"):
            same = same[(same[key] == claim[key]) | (key == "outcome" and not claim[key])]
        if not len(same) or claim["analysis"] not in titles:
            continue
        row = records(same)[0]
        if results.blinded and (withheld(results, row["analysis"], row["type"]) or not may_show_row(results, row)):
            continue
        kind, unit = say(row)
        truth = _planted_of(row, planted)
        ends = tuple(float(claim[key]) for key in ("estimate", "ci_low", "ci_high"))
        about = label(row["outcome"]) if row["type"] == "cytokines" else ABOUT.get(claim["about"], "")
        rows.append(
            ClaimRow(
                title=titles[claim["analysis"]],
                term=f"{about}: {term_text(row['term'], kind)}" if about else term_text(row["term"], kind),
                arm=str(claim["contrast"] if row["type"] == "arm_by_visit" else claim["arm"]).replace(
                    " - ", " − "
                ),
                estimate=estimate_text(kind, ends[0], ends[1], ends[2], unit),
                p=p_value(claim["p_value"]),
                p_adjusted=p_value(claim["p_adjusted"]),
                standing=str(claim["status"]),
                planted=""
                if math.isnan(truth)
                else value_and_interval(estimate_text(kind, truth, ends[1], ends[2], unit))[0],
                inside=_inside(truth, ends[1], ends[2]),
                verdict=_verdict(claim),
                right=_right(claim, truth, _bounds(results, claim)),
            )
        )
    return [*rows, *_serious(results)]


def _serious(results: Results) -> list[ClaimRow]:
    """Of each arm the rate of serious adverse events with its exact Poisson limits: none seen is no proof of none."""
    every, groups = (read_table(results.folder, name) for name in ("adverse_events", "adverse_event_groups"))
    if every is None or groups is None or results.blinded:
        return []
    whole = every[(every["soc"] == "") & (every["term"] == "")].set_index("arm")["patient_years"]
    serious = groups[(groups["measure"] == "serious") & (groups["level"] == "serious")]
    rows = []
    for found in records(serious):
        arm, events = str(found["arm"]), int(found["events"])
        rate = poisson_rate(events, float(whole.get(arm, math.nan)))
        row = {
            "analysis": "adverse_events",
            "term": SERIOUS,
            "arm": arm,
            "outcome": "",
            "contrast": "",
            "primary": True,
        }
        truth = _planted_of(row, results.planted)
        right = "true" if (truth > 0) == (events > 0) else "missed" if truth > 0 else "false"
        rows.append(
            ClaimRow(
                title="Were serious treatment-emergent adverse events seen?",
                term=SERIOUS,
                arm=arm,
                estimate=f"{rate[0]:.2f} ({rate[1]:.2f} to {rate[2]:.2f})"
                if rate[0] == rate[0]
                else f"{found['subjects']} of {counted(int(found['n']), 'patient')}; exposure not known",
                p="",
                p_adjusted="",
                standing="counted, not tested",
                planted="" if math.isnan(truth) else f"{truth:.2f}",
                inside=_inside(truth, rate[1], rate[2]),
                verdict=f"{counted(events, 'event')} seen" if events else "none seen",
                right="" if math.isnan(truth) else right,
            )
        )
    return rows


def _verdict(claim: Mapping[str, Any]) -> str:
    direction = {"up": ", upwards", "down": ", downwards"}.get(str(claim["direction"]), "")
    return f"{claim['verdict']}{direction}"


def _planted_of(row: Mapping[str, Any], planted: pd.DataFrame | None) -> float:
    """The planted value of a row; of a difference of changes the difference of those of its two arms."""
    if planted is None:
        return math.nan
    term = str(row["term"]).removeprefix("equivalence (TOST), ")
    own = planted[planted["analysis"] == row["analysis"]]
    if "outcome" in own.columns:
        own = own[own["outcome"].isin([row["outcome"], ""])]
    same = [term.startswith(_stem(str(quantity))) for quantity in own["quantity"]]
    exact = own[(own["arm"] == row["arm"]).to_numpy(bool) & np.array(same, dtype=bool)]
    if not len(exact) and " - " in str(row["contrast"]):  # a contrast of arms that is kept without its arm
        exact = own[(own["arm"] == "") & (own["contrast"] == row["contrast"])]
    if not len(exact) and not row["arm"] and row["primary"]:
        exact = own[own["arm"] == ""]
    if len(exact):
        return float(exact["planted"].iloc[0])
    if term.startswith("difference of mean changes"):
        names = str(row["contrast"]).split(" - ")
        means = own[own["quantity"].str.startswith("mean change")].set_index("arm")["planted"]
        if len(names) == 2 and all(name in means.index for name in names):
            return float(means[names[0]]) - float(means[names[1]])
    return math.nan


def _stem(quantity: str) -> str:
    """How the term of a row begins, of a quantity as the simulation names it."""
    return quantity.removesuffix(" of logit")


def _inside(truth: float, low: float, high: float) -> str:
    if math.isnan(truth) or math.isnan(low) or math.isnan(high):
        return ""
    return "yes" if low <= truth <= high else "no"


def _bounds(results: Results, claim: Mapping[str, Any]) -> tuple[float, float] | None:
    """Within which a change counts as none, as the plan declares it."""
    question = results.plan.analyses.get(claim["analysis"]) if results.plan is not None else None
    return getattr(question, "equivalence", None)


def _right(claim: Mapping[str, Any], truth: float, bounds: tuple[float, float] | None) -> str:
    """What the truth says of the verdict. An absence is true where the planted value lies within the bounds."""
    if math.isnan(truth) or claim["verdict"] == "no answer":
        return ""
    claimed = claim["verdict"] == "claimed"
    if claim["about"] == "absence":
        true = bounds is not None and bounds[0] < truth < bounds[1]
    elif claimed:
        true = truth != 0 and (truth > 0) == (claim["direction"] == "up")
    else:
        true = truth != 0
    if claimed:
        return "true" if true else "false"
    return "missed" if true else "rightly not claimed"
