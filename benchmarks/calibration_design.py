"""What `make calibrate` runs: scenarios, groups of analyses, how many trials each, and which rows have a null that is true.

The aims are those of issue 6, and `calibration_page` judges by them: over trials of which a null is true an asymptotic test
rejects it 4 to 6 % of the time at the 5 % level, an exact one and mediation at most 5.7 %, a family at most 5.7 %; 95 %
intervals hold their estimand 93.5 to 96.5 % of the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import yaml

from cytoreg.simulation.course import TRIALS, Course
from cytoreg.simulation.trial_plan import PRIMARY, trial_plan

__all__ = [
    "DRAWS",
    "GROUPS",
    "NULLS",
    "SCENARIOS",
    "Group",
    "is_exact",
    "is_null",
    "only_reported",
    "plan_of",
    "truth_of_null",
]

SMALL_EFFECT = -0.25
"""Points of DAS28-CRP between the arms at month 3 in `trial_small`, so that the power is neither 5 % nor 100 %."""
SCENARIOS: Mapping[str, Course] = {
    **TRIALS,
    # nothing works; who was worse at the last visit leaves more often: missing at random
    "null_mar": replace(TRIALS["trial_null"], dropout=0.05, dropout_goes_with="last"),
    # all works; missing at random, and not at random: the value that would have been seen decides
    "trial_mar": replace(TRIALS["trial"], reinfusion="none", dropout=0.05, dropout_goes_with="last"),
    "trial_mnar": replace(TRIALS["trial"], reinfusion="none", dropout=0.05, dropout_goes_with="present"),
    # a fall so small that trials miss it: what a stated power is compared with
    "trial_small": replace(TRIALS["trial"], reinfusion="none", das28_fall_cells=0.281),
}
DRAWS = "draws"
"""The scenario that is no trial: numbers drawn from a model that is known, handed to public functions."""
NULLS = ("trial_null", "trial_unlinked", "trial_selected", "trial_relapse", "null_mar")


@dataclass(frozen=True)
class Group:
    """Analyses that are run together, in which scenarios and over how many trials.

    aim: trials where a null is true, and `draws`. with_effects: trials of a scenario with effects, for power and bias.
    kind: which limits hold (asymptotic, at most, family, coverage, power). exact: terms of exact tests, whatever the kind.
    asked: keys of a question that are not as the trial's plan has them. extra: keys of the plan. dropped: columns that the
    linked table is without. A group with one of these, or other subjects, has trials of its own; the others share them.
    """

    analyses: tuple[str, ...]
    aim: int
    scenarios: tuple[str, ...]
    kind: str = "asymptotic"
    with_effects: int = 1_000
    subjects: int = 172
    exact: str = "sign test|Fisher's exact"
    asked: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()
    extra: tuple[tuple[str, Any], ...] = ()
    dropped: tuple[str, ...] = ()
    own: str = ""
    """The function of `calibration_draws` that answers instead of a plan."""

    def aimed_at(self, scenario: str) -> int:
        return self.aim if scenario in (*NULLS, DRAWS) else self.with_effects

    @property
    def shares(self) -> bool:
        """Whether its questions are put to the same trial, in the same plan, as those of other groups."""
        return self.subjects == 172 and not (self.asked or self.extra or self.dropped or self.own)


_EFFECTS = ("trial", "trial_mar", "trial_mnar")
_IMPUTED = {"multiple_imputation": {"m": 20, "method": "normal", "iterations": 5}}
# das28_crp is made of four components: without the others none of the other scores is made anew in 20 tables
_NOT_OF_DAS28 = (
    *("tender68", "swollen66", "esr", "evaluator_global", "pain", "haq_di", "acr20", "acr50"),
    *("tnf_alpha", "il6", "tnf_alpha censored", "il6 censored"),
)
GROUPS: Mapping[str, Group] = {
    "change": Group(("treg_rises", "activity_falls"), 10_000, (*NULLS, *_EFFECTS)),
    "correlation": Group(("treg_vs_das28", "within_patient"), 10_000, (*NULLS, *_EFFECTS)),
    "arms": Group(("arms_differ", "treg_arms"), 2_000, (*NULLS, *_EFFECTS)),
    "slopes": Group(("apart", "which_first"), 2_000, (*NULLS, "trial")),
    "responder": Group(("acr_arms", "responders", "acr_over_visits"), 2_000, (*NULLS, "trial")),
    "cytokines": Group(("cytokines_fall",), 2_000, ("trial_null", "trial_selected", "null_mar", "trial")),
    "durability": Group(("durability",), 2_000, ("trial_null", "trial_unlinked", "trial_relapse", "trial")),
    "again": Group(("again",), 10_000, ("trial_relapse", "trial")),
    "mediation": Group(("carried",), 2_000, ("trial_null", "trial_unlinked", "null_mar", "trial"), "at most"),
    "roc": Group(("treg_cutoff",), 2_000, ("trial_null", "trial_selected", "trial")),
    "family": Group(PRIMARY, 2_000, NULLS, "family"),
    "small": Group(("treg_rises",), 10_000, ("trial_null",), subjects=40, exact="Hodges-Lehmann"),
    "trend": Group(("infusions",), 500, ("trial_null",), subjects=24, exact="rank correlation"),
    "agreement": Group(("variation",), 500, ("trial_null",), "coverage"),
    "power": Group(
        ("arms_differ", "enough"), 0, ("trial_small",), "power", asked=(("enough", (("effect", SMALL_EFFECT),)),)
    ),
    "imputed": Group(
        ("arms_differ", "treg_vs_das28"),
        500,
        ("null_mar", "trial_mar"),
        with_effects=500,
        extra=(("missing", _IMPUTED),),
        dropped=_NOT_OF_DAS28,
    ),
    "safety": Group(("adverse_events",), 2_000, ("trial_null",), exact="", own="safety"),
    "exact": Group(("fisher", "blocked_ranks"), 10_000, (DRAWS,), exact="", own="exact"),
    "methods": Group(
        ("limits_of_agreement", "concordance", "intraclass", "components"),
        2_000,
        (DRAWS,),
        "coverage",
        own="methods",
    ),
}
# what a true null is about: the treatment, or the link of two values within a patient
_TREATMENT = {
    *("treg_rises", "activity_falls", "function_improves", "arms_differ", "treg_arms", "acr_arms", "acr_over_visits"),
    *("cytokines_fall", "again", "infusions", "adverse_events", "fisher", "blocked_ranks"),
}  # fmt: skip
_LINK = {
    *("treg_vs_das28", "within_patient", "apart", "which_first", "responders", "treg_cutoff", "carried"),
    "durability",
}
_NULL_VALUES = (
    ("odds ratio", 1.0),
    ("hazard ratio", 1.0),
    ("ratio of odds", 1.0),
    ("area under", 0.5),
    ("share that fell", 0.5),
)
_NO_TEST = re.compile(
    r"equivalence|reliability|share of variance|median|still respond|survival|proportional|cut-off|sensitivity|specificity"
)


@lru_cache(maxsize=1)
def _whole() -> dict[str, Any]:
    plan: dict[str, Any] = yaml.safe_load(trial_plan())
    return plan


def plan_of(*groups: Group) -> dict[str, Any]:
    """The plan of groups: their questions of the plan of the trial; with families where one of them is a `family`."""
    whole = _whole()
    asked = {name: dict(keys) for group in groups for name, keys in group.asked}
    names = dict.fromkeys(name for group in groups for name in group.analyses)
    analyses = {name: {**whole["analyses"][name], **asked.get(name, {})} for name in names}
    families = any(group.kind == "family" for group in groups)
    extra = dict(pair for group in groups for pair in group.extra)
    return {**whole, "analyses": analyses, "multiplicity": whole["multiplicity"] if families else {}, **extra}


def is_exact(group: Group, term: str) -> bool:
    """Whether the p-value of a row is that of an exact test."""
    return bool(group.own and group.kind != "coverage") or bool(group.exact and re.search(group.exact, term))


def truth_of_null(term: str) -> float:
    """What a row estimates where nothing is there."""
    if "log " in term:
        return 0.0
    return next((value for word, value in _NULL_VALUES if word in term), 0.0)


def only_reported(scenario: str, analysis: str, term: str, outcome: str = "") -> bool:
    """Whether a row is no test of the treatment in a scenario, and only its bias is told.

    The change within an arm: who came at a bad time is better at the next visit (`trial_selected`), and who stayed was
    better than who left (`null_mar`), whatever is done; of IL-6 too, which goes with DAS28 in the simulator. And all where
    values are missing not at random.
    """
    if scenario == "trial_mnar":
        return True
    active = analysis in {"activity_falls", "function_improves"} or (
        analysis == "cytokines_fall" and outcome != "tnf_alpha"
    )
    within = active and "difference" not in term
    return within and scenario in {"trial_selected", "null_mar"} and not _NO_TEST.search(term)


def is_null(scenario: str, analysis: str, term: str, arm: str, predictor: str, outcome: str = "") -> bool:
    """Whether the null hypothesis of a row is true in a scenario, and the row is a test of it."""
    if scenario not in (*NULLS, DRAWS) or _NO_TEST.search(term):
        return False
    if analysis in _TREATMENT:
        if scenario == "trial_unlinked":
            return False
        return not only_reported(scenario, analysis, term, outcome)
    if scenario == "trial_unlinked":  # the arm does what it does; the question is the link
        if analysis == "carried":
            return term.startswith("effect along") or " per unit of " in term
        return predictor.startswith("Tregs") or analysis in {
            "treg_vs_das28",
            "within_patient",
            "apart",
            "which_first",
        }
    return analysis in _LINK
