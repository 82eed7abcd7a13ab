"""Planned or exploratory, which p-values a family pays for, what may be claimed, estimands, and checked assumptions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.outliers_influence import OLSInfluence

from cytoreg.stats import analyse, read_plan
from cytoreg.stats.adjust import adjust_families, counts
from cytoreg.stats.assumptions import checked_mean, checked_residuals, influence_note, normality_note
from cytoreg.stats.claims import claims_of
from cytoreg.stats.declared import declared_of, statuses
from cytoreg.stats.estimand import estimands
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.plan import Multiplicity, plan_hash
from cytoreg.stats.questions import TYPES
from tests.stats import cohort

PLAN = {
    "treatment": {"control": "DMARD"},
    "analyses": {
        "rises": {"type": "paired_change", "value": cohort.TREGS, "to": "month1", "by": "arm"},
        "falls": {"type": "paired_change", "value": "das28_crp", "to": "month3", "by": "arm"},
    },
    "multiplicity": {"families": {"main": ["rises", "falls"]}},
}


def row(p: float, **more: object) -> Estimate:
    given = {"estimate": 1.0, "ci_low": 0.5, "ci_high": 1.5} | more
    return Estimate(analysis=str(given.pop("analysis", "a")), type="t", term="x", outcome="y", p_value=p, **given)  # type: ignore[arg-type]


def test_every_p_of_a_family_counts_and_a_failed_model_counts_as_one() -> None:
    """Five tests, one failed: Holm by hand on 0.01, 0.02, 0.03, 0.04 and 1; descriptive rows and means cost nothing."""
    rows = [
        row(0.01, primary=True),
        row(0.04, arm="B"),
        row(0.001, note=DESCRIPTIVE),
        row(0.001, note=f"{SENSITIVITY}; m"),
        row(math.nan),
        row(0.02, analysis="b", primary=True),
        row(0.03, analysis="b", visit="v"),
        row(math.nan, analysis="b", estimate=math.nan, note="did not converge"),
    ]
    done = adjust_families(rows, Multiplicity(families={"f": ("a", "b")}))
    adjusted = [r.p_adjusted for r in done]
    assert [adjusted[i] for i in (0, 5, 6, 1)] == pytest.approx([0.05, 0.08, 0.09, 0.09])
    assert all(math.isnan(adjusted[i]) for i in (2, 3, 4, 7))
    assert [r.family for r in done] == ["f", "f", "", "", "", "f", "f", "f"]
    assert counts(rows[7]) and not counts(rows[4])


def declared(plan: dict[str, object]) -> object:
    read = read_plan(plan)
    return declared_of(read.plan, plan_hash(read.plan), at="2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    ("change", "exploratory"),
    [
        ({}, {}),
        (
            {"analyses": PLAN["analyses"] | {"new": {"type": "trend", "value": "das28_crp", "on": "day"}}},
            {"new": "not in the plan declared on 2026-01-02"},
        ),
        (
            {"analyses": PLAN["analyses"] | {"rises": PLAN["analyses"]["rises"] | {"to": "month3"}}},
            {"rises": "its keys are not those of the plan declared on 2026-01-02"},
        ),
        (
            {"treatment": {"control": "UC-MSC"}},
            dict.fromkeys(("rises", "falls"), "treatment changed since the plan declared on 2026-01-02"),
        ),
        (
            {"multiplicity": {"families": {"main": ["rises"]}}},
            dict.fromkeys(("rises", "falls"), "its family is not that of the plan declared on 2026-01-02"),
        ),
        ({"multiplicity": {"families": {"other name": ["falls", "rises"]}}}, {}),
    ],
)
def test_what_was_not_declared_is_exploratory(change: dict[str, object], exploratory: dict[str, str]) -> None:
    given = PLAN | change
    analysis = analyse({"linked": cohort.linked()}, given, declared=declared(PLAN))
    assert analysis.exploratory == exploratory
    status = analysis.results.groupby("analysis")["status"].unique().map(list).to_dict()
    assert status == {n: ["exploratory" if n in exploratory else "planned"] for n in given["analyses"]}
    for name, sentence in analysis.sentences.items():
        assert sentence.startswith(f"Exploratory ({exploratory.get(name)})") == (name in exploratory)


def test_without_a_declaration_the_plan_is_taken_at_its_word_and_a_late_one_counts_for_nothing() -> None:
    read = read_plan(PLAN)
    assert {kind for kind, _ in statuses(read.plan, "", None).values()} == {"planned"}
    late = declared_of(read.plan, "", too_late="declared after the data")
    assert statuses(read.plan, "", late)["rises"] == ("exploratory", "declared after the data")


def test_a_claim_about_the_treatment_rests_on_the_contrast_between_arms() -> None:
    """Both arms fall alike: the treated arm's fall is claimed of that arm, the treatment's effect is not."""
    table = cohort.linked(treg_effect=0, link=0, seed=3)
    analysis = analyse({"linked": table}, PLAN)
    claims = analysis.claims.set_index(["analysis", "about"])
    answer, treatment = claims.loc[("falls", "answer")], claims.loc[("falls", "treatment")]
    assert (answer["verdict"], answer["direction"]) == ("claimed", "down")
    assert (treatment["verdict"], treatment["direction"]) == ("not claimed", "")
    assert treatment["contrast"] == "UC-MSC - DMARD"
    wide = {visit: part.set_index("subject_id")["das28_crp"] for visit, part in table.groupby("visit")}
    changes = wide["month3"] - wide["baseline"]
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"]
    welch = stats.ttest_ind(changes[arm == "UC-MSC"], changes[arm == "DMARD"], equal_var=False)
    assert treatment["p_value"] == pytest.approx(welch.pvalue)
    assert "a claim about the treatment rests on this difference" in analysis.sentences["falls"]
    assert "did not clearly change differently" in analysis.sentences["falls"]


def test_absence_is_claimed_from_equivalence_only() -> None:
    rows = [
        row(0.9, primary=True),
        Estimate("a", "paired_change", "equivalence (TOST), mean change", "y", estimate=0.01, p_value=0.001),
        row(math.nan, analysis="b", primary=True, estimate=math.nan),
    ]
    verdicts = [(c.about, c.verdict, c.direction) for c in claims_of(rows)]
    assert verdicts == [("answer", "not claimed", ""), ("absence", "claimed", "none"), ("answer", "no answer", "")]


def test_each_analysis_has_an_estimand_that_says_its_strategy() -> None:
    given = PLAN | {"missing": {"multiple_imputation": {"m": 7, "analyses": ["falls"]}}}
    found = estimands(read_plan(given).plan)
    parts = {"treatment", "population", "variable", "intercurrent_events", "summary", "missing"}
    assert set(found["falls"]) == parts and all(found["falls"].values())
    assert "imputed 7 times" in found["falls"]["missing"]
    assert "left out" in found["rises"]["missing"]
    loss = {"type": "time_to_loss", "outcome": "acr20"}
    for how, word in (("event", "composite"), ("censor", "hypothetical"), ("weight", "weights")):
        plan = read_plan({"analyses": {"t": loss | {"reinfusion": how}}}).plan
        assert word in estimands(plan)["t"]["intercurrent_events"]


def test_every_type_has_an_estimand() -> None:
    needed = {
        "value": "v", "x": "x", "y": "y", "to": "m", "contrast_visit": "m", "outcome": "o", "at": "m", "on": "d",
        "mediator": "k", "mediator_at": "m", "outcome_at": "m", "components": ["c"], "values": ["il6"], "effect": 1.0,
        "analysis": "q",
    }  # fmt: skip
    for kind, model in TYPES.items():
        names = {(f.alias or n) for n, f in model.model_fields.items()}
        question = {"type": kind} | {k: v for k, v in needed.items() if k in names}
        said = estimands(read_plan({"analyses": {"q": question}}).plan)["q"]
        assert all(said.values()), kind


def test_residuals_and_influence_are_told_only_where_they_matter() -> None:
    draw = np.random.default_rng(1)
    assert checked_mean(draw.normal(0, 1, 40)) == ""
    assert "not normal" in normality_note(draw.exponential(1, 20) ** 3)
    assert normality_note(draw.exponential(1, 2000)) == ""  # the mean of so many is normal enough
    assert "one subject moves the estimate by more than its standard error" in checked_mean(
        [0.1, -0.2, 0.15, 0.0, 30.0]
    )
    assert influence_note([0.2, -0.4]) == ""


def test_influence_is_dfbetas_of_statsmodels() -> None:
    draw = np.random.default_rng(5)
    x = np.column_stack([np.ones(25), draw.normal(0, 1, 25)])
    y = x[:, 1] + draw.normal(0, 1, 25)
    x[0, 1], y[0] = 6.0, -12.0
    moves = OLSInfluence(sm.OLS(y, x).fit()).dfbetas[:, 1]
    assert f"({np.abs(moves).max():.1f})" in checked_residuals(x, y, 1)
    mean = OLSInfluence(sm.OLS(y, np.ones((25, 1))).fit()).dfbetas[:, 0]
    assert (np.abs(mean) > 1).sum() == (1 if "one subject moves" in checked_mean(y) else 0)


@pytest.mark.parametrize("kind", ["bool", "boolean", "object", "int"])
def test_a_remission_may_be_the_outcome_of_an_analysis_in_any_form_of_yes_and_no(kind: str) -> None:
    table = cohort.linked(subjects=60)
    yes = (table["das28_crp"] < 5.2).to_numpy()
    table["remission_cdai"] = pd.Series(yes.astype(int) if kind == "int" else yes, index=table.index)
    if kind == "boolean":
        table["remission_cdai"] = table["remission_cdai"].astype("boolean")
    if kind == "object":
        table["remission_cdai"] = table["remission_cdai"].astype(object)
        table.loc[table.index[:2], "remission_cdai"] = None
    questions = {
        "odds": {"type": "responder", "value": cohort.TREGS, "outcome": "remission_cdai", "at": "month3"},
        "curve": {
            "type": "roc",
            "value": cohort.TREGS,
            "outcome": "remission_cdai",
            "at": "month3",
            "resamples": 100,
        },
        "goes": {"type": "change_correlation", "x": cohort.TREGS, "y": "remission_cdai", "to": "month3"},
        "within": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "remission_cdai"},
        "lasts": {"type": "time_to_loss", "outcome": "remission_cdai"},
    }
    results = analyse({"linked": table}, {"analyses": questions}).results
    first = results[results["primary"]].set_index("analysis")
    assert sorted(first.index) == sorted(questions)
    assert first.loc[["odds", "curve", "goes", "within"], "estimate"].notna().all()
    assert first.loc["lasts", "n_subjects"] > 0
