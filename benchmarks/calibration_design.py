"""What `make calibrate` runs: scenarios, analyses, how many trials each, and which rows have a null that is true.

Aims: over trials of which a null is true, an asymptotic test rejects it 4 to 6 % of the time at the 5 % level, an exact
one and mediation at most 5.7 %, a family at most 5.7 %; 95 % intervals hold their estimand 93.5 to 96.5 % of the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from cytoreg.simulation.course import TRIALS, Course
from cytoreg.simulation.trial_plan import trial_plan

__all__ = ["GROUPS", "SCENARIOS", "Group", "is_null", "plan_of", "truth_of_null"]

SCENARIOS: Mapping[str, Course] = {
    **TRIALS,
    # nothing works; who was worse at the last visit leaves more often: missing at random
    "null_mar": replace(TRIALS["trial_null"], dropout=0.05, dropout_goes_with="last"),
    # all works; missing at random, and not at random: the value that would have been seen decides
    "trial_mar": replace(TRIALS["trial"], reinfusion="none", dropout=0.05, dropout_goes_with="last"),
    "trial_mnar": replace(TRIALS["trial"], reinfusion="none", dropout=0.05, dropout_goes_with="present"),
}
NULLS = ("trial_null", "trial_unlinked", "trial_selected", "trial_relapse", "null_mar")


@dataclass(frozen=True)
class Group:
    """Analyses that are run together. aim: trials; kind: which limits hold; scenarios: in which trials."""

    analyses: tuple[str, ...]
    aim: int
    scenarios: tuple[str, ...]
    kind: str = "asymptotic"
    subjects: int = 172
    extra: tuple[tuple[str, Any], ...] = ()


_ALL = (
    "trial_null",
    "trial_unlinked",
    "trial_selected",
    "trial_relapse",
    "null_mar",
    "trial",
    "trial_mar",
    "trial_mnar",
)
GROUPS: Mapping[str, Group] = {
    "change": Group(("treg_rises", "activity_falls"), 10_000, _ALL),
    "correlation": Group(("treg_vs_das28", "within_patient"), 10_000, _ALL),
    "arms": Group(("arms_differ", "treg_arms"), 2_000, _ALL),
    "slopes": Group(("apart", "which_first"), 2_000, _ALL[:6]),
    "responder": Group(("acr_arms", "responders", "acr_over_visits"), 2_000, _ALL[:6]),
    "cytokines": Group(("cytokines_fall",), 2_000, ("trial_null", "trial_selected", "null_mar", "trial")),
    "durability": Group(("durability",), 2_000, ("trial_null", "trial_unlinked", "trial_relapse", "trial")),
    "again": Group(("again",), 2_000, ("trial_relapse", "trial")),
    "mediation": Group(("carried",), 2_000, ("trial_null", "trial_unlinked", "trial"), "at most"),
    "roc": Group(("treg_cutoff",), 500, ("trial_null", "trial_selected", "trial")),
    "agreement": Group(("variation",), 500, ("trial_null", "trial"), "coverage"),
    "power": Group(("enough",), 500, ("trial",), "power", extra=(("with", ("arms_differ",)),)),
    "imputed": Group(
        ("arms_differ", "treg_vs_das28"),
        500,
        ("null_mar", "trial_mar"),
        extra=(("missing", {"multiple_imputation": {"m": 20, "method": "normal", "iterations": 5}}),),
    ),
}
# what a true null is about: the treatment, or the link of two values within a patient
_ABOUT = {
    "treatment": {"treg_rises", "activity_falls", "arms_differ", "treg_arms", "acr_arms", "acr_over_visits", "cytokines_fall", "again"},
    "link": {"treg_vs_das28", "within_patient", "apart", "which_first", "responders", "treg_cutoff", "carried", "durability"},
}  # fmt: skip
_NULL_VALUES = (
    ("odds ratio", 1.0),
    ("hazard ratio", 1.0),
    ("ratio of odds", 1.0),
    ("area under", 0.5),
    ("AUC", 0.5),
)
_NO_TEST = re.compile(
    r"equivalence|reliability|share of variance|median|still respond|survival|proportional|cut-off|sensitivity|specificity"
)


def plan_of(group: Group) -> dict[str, Any]:
    """The plan of a group: its questions of the plan of the trial, without families."""
    plan: dict[str, Any] = yaml.safe_load(trial_plan())
    extra = dict(group.extra)
    names = [*extra.pop("with", ()), *group.analyses]
    return {**plan, "analyses": {name: plan["analyses"][name] for name in names}, "multiplicity": {}, **extra}


def truth_of_null(term: str) -> float:
    """What a row estimates where nothing is there."""
    if "log " in term:
        return 0.0
    return next((value for word, value in _NULL_VALUES if word in term), 0.0)


def is_null(scenario: str, analysis: str, term: str, arm: str, predictor: str) -> bool:
    """Whether the null hypothesis of a row is true in a scenario, and the row is a test of it."""
    if scenario not in NULLS or _NO_TEST.search(term):
        return False
    if analysis in _ABOUT["treatment"]:
        if scenario == "trial_unlinked":
            return False
        if scenario == "trial_selected":  # who came at a bad time is better at the next visit, whatever is done
            return analysis != "activity_falls" or "difference" in term
        return True
    if scenario == "trial_unlinked":  # the arm does what it does; the question is the link
        if analysis == "carried":
            return "indirect" in term
        return predictor.startswith("Tregs") or analysis in {
            "treg_vs_das28",
            "within_patient",
            "apart",
            "which_first",
        }
    return analysis in _ABOUT["link"]
