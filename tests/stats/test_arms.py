"""Arms over visits, against R (see benchmarks/judge/arms.R) and formulas that hold exactly in balanced data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from tests.stats import cohort, small_trial
from tests.stats.judged import judged

PLAN = {
    "treatment": {"control": "DMARD"},
    "analyses": {"q": {"type": "arm_by_visit", "value": "das28_crp", "contrast_visit": "month3"}},
}


R = judged("arms")


def asked(**keys: object) -> dict:
    return PLAN | {"analyses": {"q": PLAN["analyses"]["q"] | keys}}


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


def test_balanced_compound_symmetry_has_closed_forms() -> None:
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
    mixed = mss + (k - 1) * mse

    found = answer(table, asked(covariance="compound_symmetry"))
    assert found["estimate"] == pytest.approx(
        cell_means.loc["UC-MSC", "month3"] - cell_means.loc["DMARD", "month3"]
    )
    assert found["se"] == pytest.approx(np.sqrt(2 * mixed / (k * s)))
    assert found["df"] == pytest.approx(mixed**2 / (mss**2 / dfs + ((k - 1) * mse) ** 2 / dfe))
    assert found["contrast"] == "UC-MSC - DMARD"


def test_balanced_unstructured_contrast_is_the_two_sample_t_test_of_that_visit() -> None:
    table = balanced(seed=3)
    last = table[table["visit"] == "month3"]
    treated, control = (last[last["arm"] == arm]["das28_crp"] for arm in ("UC-MSC", "DMARD"))
    test = stats.ttest_ind(treated, control)
    found = answer(table)
    assert [found["statistic"], found["df"], found["p_value"]] == pytest.approx([test.statistic, 22, test.pvalue])


@pytest.mark.parametrize("covariance", ["unstructured", "ar1"])
def test_a_trial_with_gaps_is_that_of_gls_and_emmeans(covariance: str) -> None:
    plan = {
        "treatment": {"control": "a"},
        "analyses": {
            "q": {"type": "arm_by_visit", "value": "score", "contrast_visit": "v3", "covariance": covariance}
        },
    }
    rows = analyse({"linked": small_trial.linked()}, plan).results
    for visit in ("v1", "v2", "v3"):
        contrast = rows[rows["term"] == f"arm difference at {visit}"].iloc[0]
        assert contrast["estimate"] == pytest.approx(
            R[f"small.{covariance}.difference.{visit}.estimate"], abs=2e-5
        )
        means = rows[rows["term"] == f"mean at {visit}"].set_index("arm")["estimate"]
        expected = [R[f"small.{covariance}.mean.{arm}.{visit}.estimate"] for arm in "ab"]
        assert means[["a", "b"]].tolist() == pytest.approx(expected, abs=2e-5)
    assert rows["p_value"][rows["term"].str.startswith("mean at")].isna().all()


def test_a_covariance_that_cannot_be_fitted_gives_way_to_the_first_that_can_and_says_so() -> None:
    """Eight visits of 2 x 4 subjects: six degrees of freedom cannot hold 36 covariances."""
    table = balanced(seed=4, subjects=4, visits=8)
    found = answer(table, asked(contrast_visit="month8"))
    assert found["note"].startswith("covariance of the visits heterogeneous AR(1), as others were not to be had")
    assert "unstructured: " in found["note"]
    assert np.isfinite(found["p_value"])
    alone = answer(table, asked(contrast_visit="month8", fallback=[]))
    assert "could not be fitted (unstructured: " in alone["note"]
    assert np.isnan(alone["estimate"])


def test_ancova_at_a_visit_leaves_the_others_alone() -> None:
    table = cohort.linked(seed=5)
    wide = table.pivot_table(index=["subject_id", "arm"], columns="visit", values="das28_crp").reset_index()
    model = smf.ols("month3 ~ baseline + C(arm)", wide).fit()
    rows = analyse({"linked": table}, asked(model="ancova")).results
    found = rows[rows["primary"]].iloc[0]
    expected = [model.params["C(arm)[T.UC-MSC]"], model.bse["C(arm)[T.UC-MSC]"], model.df_resid]
    assert found[["estimate", "se", "df"]].tolist() == pytest.approx(expected)
    assert set(rows["visit"]) == {"month3"}


def test_equivalence_is_two_one_sided_tests_and_absence_is_not_read_from_a_large_p() -> None:
    """Bounds that touch an end of the 90 % interval make p = 0.05 (Schuirmann 1987)."""
    table = balanced(seed=9)
    plain = analyse({"linked": table}, PLAN)
    row = plain.results[plain.results["primary"]].iloc[0]
    assert row["p_value"] > 0.05
    assert plain.sentences["q"].endswith("This does not show that there is no difference.")
    half = stats.t.ppf(0.95, row["df"]) * row["se"]
    bounds = [float(row["estimate"] - 50 * half), float(row["estimate"] + half)]
    given = analyse({"linked": table}, asked(equivalence=bounds))
    tost = given.results[given.results["term"] == "equivalence (TOST), arm difference at month3"].iloc[0]
    assert tost["p_value"] == pytest.approx(0.05)
    assert not tost["primary"]
    wide = analyse({"linked": table}, asked(equivalence=[-50, 50]))
    assert "lies within the declared bounds of -50 to 50" in wide.sentences["q"]
    narrow = analyse({"linked": table}, asked(equivalence=[-0.001, 0.001]))
    assert "is not shown to lie within" in narrow.sentences["q"]
    with pytest.raises(AnalysisError, match="expected the smaller number first"):
        analyse({"linked": table}, asked(equivalence=[1, -1]))


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
    assert rows[rows["primary"]]["term"].tolist() == ["arms differ at month3 (F)"]
    assert rows["contrast"].iloc[0].startswith("F(2, ")
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


def test_a_model_that_does_not_converge_says_so_and_counts_in_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cytoreg.stats.mmrm.MOST_STEPS", 0)
    plan = PLAN | {"multiplicity": {"families": {"primary": ["q"]}}}
    found = answer(balanced(seed=3), plan)
    assert "unstructured: REML did not settle" in found["note"]
    assert np.isnan(found["estimate"])
    assert found["family"] == "primary"
