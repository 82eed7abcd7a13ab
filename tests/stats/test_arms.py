"""The mixed model of arms over visits, against formulas that hold exactly where the data are balanced."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from cytoreg.stats import analyse
from tests.stats import cohort

PLAN = {
    "treatment": {"control": "DMARD"},
    "analyses": {"q": {"type": "arm_by_visit", "value": "das28_crp", "contrast_visit": "month3"}},
}


def answer(table: pd.DataFrame, plan: dict = PLAN) -> pd.Series:
    rows = analyse({"linked": table}, plan).results
    (row,) = (row for _, row in rows[rows["primary"]].iterrows())
    return row


def balanced(
    seed: int, subjects: int = 12, visits: int = 3, arms: tuple[str, ...] = ("DMARD", "UC-MSC")
) -> pd.DataFrame:
    """Every subject at every visit, the same value at baseline, intercepts and noise of known size."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(subjects * len(arms)):
        own = draw.normal(0, 1)
        rows.append((f"P{number:02d}", "baseline", 0, arms[number % len(arms)], 5.0))
        rows += [
            (f"P{number:02d}", f"month{k}", 30 * k, arms[number % len(arms)], own + draw.normal(0, 0.7))
            for k in range(1, visits + 1)
        ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "das28_crp"])


def test_balanced_contrast_its_error_and_its_satterthwaite_df_have_closed_forms() -> None:
    """Split plot of s subjects an arm and k visits: var = 2 (MSs + (k - 1) MSe) / (k s), with
    df = (MSs + (k - 1) MSe)^2 / (MSs^2 / dfs + ((k - 1) MSe)^2 / dfe) (Milliken & Johnson 1992, chapter 24)."""
    s, k = 12, 3
    table = balanced(seed=3)
    after = table[table["visit"] != "baseline"].pivot_table(
        index="subject_id", columns="visit", values="das28_crp"
    )
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"].loc[after.index]
    cell_means = after.groupby(arm.to_numpy()).mean()
    off = after.to_numpy() - cell_means.loc[arm].to_numpy()
    own = off.mean(axis=1)
    dfs, dfe = 2 * (s - 1), 2 * (s - 1) * (k - 1)
    mss, mse = k * (own**2).sum() / dfs, ((off - own[:, None]) ** 2).sum() / dfe
    assert mss > mse  # the intercepts have a variance
    mixed = mss + (k - 1) * mse

    found = answer(table)
    assert found["estimate"] == pytest.approx(
        cell_means.loc["UC-MSC", "month3"] - cell_means.loc["DMARD", "month3"]
    )
    assert found["se"] == pytest.approx(np.sqrt(2 * mixed / (k * s)), rel=1e-4)
    assert found["df"] == pytest.approx(mixed**2 / (mss**2 / dfs + ((k - 1) * mse) ** 2 / dfe), rel=1e-3)
    assert found["contrast"] == "UC-MSC - DMARD"


def test_arm_by_visit_is_that_of_the_formula_interface_with_gaps_in_the_data() -> None:
    table = cohort.linked(seed=8)
    draw = np.random.default_rng(1)
    table = table[(table["visit"] == "baseline") | (draw.random(len(table)) < 0.8)].reset_index(drop=True)
    start = table[table["visit"] == "baseline"].set_index("subject_id")["das28_crp"]
    after = table[table["visit"] != "baseline"].assign(start=lambda t: t["subject_id"].map(start))
    formula = "das28_crp ~ start + C(arm) * C(visit, Treatment('month3'))"
    model = smf.mixedlm(formula, after, groups="subject_id").fit()
    found = answer(table)
    assert found["estimate"] == pytest.approx(model.params["C(arm)[T.UC-MSC]"], rel=1e-4)
    assert found["se"] == pytest.approx(model.bse["C(arm)[T.UC-MSC]"], rel=1e-3)
    wald = analyse({"linked": table}, PLAN).results.iloc[-1]
    term = "C(arm)[T.UC-MSC]:C(visit, Treatment('month3'))[T.month1]"
    assert wald["term"] == "arm x visit (Wald)"
    assert wald["statistic"] == pytest.approx((model.params[term] / model.bse[term]) ** 2, rel=1e-3)


def test_one_visit_after_baseline_is_an_analysis_of_covariance() -> None:
    table = cohort.linked(seed=5)
    table = table[table["visit"] != "month1"].reset_index(drop=True)
    wide = table.pivot_table(index=["subject_id", "arm"], columns="visit", values="das28_crp").reset_index()
    model = smf.ols("month3 ~ baseline + C(arm)", wide).fit()
    found = answer(table)
    expected = [model.params["C(arm)[T.UC-MSC]"], model.bse["C(arm)[T.UC-MSC]"], model.pvalues["C(arm)[T.UC-MSC]"]]
    assert found[["estimate", "se", "p_value"]].tolist() == pytest.approx(expected)
    assert "analysis of covariance" in found["note"]


def test_three_arms_are_answered_by_their_joint_test() -> None:
    table = balanced(seed=6, arms=("DMARD", "UC-MSC", "UC-MSC twice"))
    rows = analyse({"linked": table}, PLAN).results
    assert rows[rows["primary"]]["term"].tolist() == ["arms differ at month3 (Wald)"]
    assert rows["df"].iloc[0] == 2
    assert set(rows["contrast"]) >= {"UC-MSC - DMARD", "UC-MSC twice - DMARD"}


def test_intervals_hold_a_difference_that_is_not_there_in_95_of_100_small_trials() -> None:
    """50 null trials of 2 x 8 subjects: coverage within 3 standard errors of 95 %."""
    held = 0
    question = PLAN["analyses"]["q"] | {"contrast_visit": "month2"}
    for seed in range(50):
        found = answer(balanced(seed=1000 + seed, subjects=8, visits=2), PLAN | {"analyses": {"q": question}})
        held += found["ci_low"] <= 0 <= found["ci_high"]
    assert 0.86 <= held / 50 <= 1


def test_what_cannot_be_fitted_gives_its_reason() -> None:
    table = balanced(seed=7)
    one_arm = answer(table[table["arm"] == "UC-MSC"].reset_index(drop=True))
    assert np.isnan(one_arm["estimate"])
    assert "1 arms with values" in one_arm["note"]
    few = table[table["subject_id"].isin([f"P{i:02d}" for i in range(6)])].reset_index(drop=True)
    assert "fewer than 4 subjects at month3" in answer(few)["note"]
    flat = answer(table.assign(das28_crp=4.0))
    assert "the value is the same at all visits" in flat["note"]
    assert np.isnan(flat["p_value"])


def test_subjects_without_a_baseline_value_are_counted_out_loud() -> None:
    table = cohort.linked(seed=5)
    lost = (table["subject_id"] == "P001") & (table["visit"] == "baseline")
    found = answer(table.assign(das28_crp=table["das28_crp"].mask(lost)))
    assert found["n_subjects"] == 59
    assert "1 subjects without a baseline value" in found["note"]


def test_a_model_that_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cytoreg.stats.arms.OPTIMISERS", ())
    plan = PLAN | {"multiplicity": {"families": {"primary": ["q"]}}}
    found = answer(balanced(seed=3), plan)
    assert "did not converge" in found["note"]
    assert np.isnan(found["estimate"])
    assert found["family"] == "primary"
