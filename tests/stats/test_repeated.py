"""Repeated-measures correlation against the data on which it was published."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import norm

from cytoreg.stats import analyse, repeated_measures_correlation
from cytoreg.stats.repeated import clustered_correlation
from tests.stats import bland_altman, cohort


def test_bland_and_altman_1995() -> None:
    """r = -0.507, 38 df, p = 0.0008 in the paper; the interval by the R package rmcorr (0.7.0)."""
    table = bland_altman.table()
    assert len(table) == 47
    found = repeated_measures_correlation(table["subject_id"], table["ph"], table["paco2"])
    result = found.correlation
    assert result.r == pytest.approx(-0.5067697, abs=1e-7)
    assert result.df == 38
    assert result.p_value == pytest.approx(0.0008471081, abs=1e-9)
    assert (result.ci_low, result.ci_high) == pytest.approx((-0.7067146, -0.2318631), abs=1e-7)
    assert (found.n_subjects, found.n_pairs) == (8, 47)


def test_bland_and_altman_through_a_plan() -> None:
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": "ph", "y": "paco2", "adjust": []}}}
    answer, row = analyse({"linked": bland_altman.table()}, plan).results.to_dict("records")
    assert row["estimate"] == pytest.approx(-0.507, abs=5e-4)
    assert (row["df"], row["p_value"]) == (38, pytest.approx(0.00085, abs=5e-6))
    assert row["note"].startswith("descriptive")
    assert not row["primary"]
    assert answer["primary"]
    assert "visit taken out though the plan does not name it" in answer["note"]


def test_adjusted_r_is_that_of_the_sums_of_squares_of_an_analysis_of_covariance() -> None:
    """r^2 = SS(x) / (SS(x) + SS(residual)) in y ~ subject + visit * arm + x, by statsmodels' formulas."""
    table = cohort.linked(seed=4, subjects=20)
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"}}}
    found = analyse({"linked": table}, plan).results.iloc[0]
    expected, full = by_formula(table)
    assert found["estimate"] == pytest.approx(expected)
    assert found["primary"]
    cells = np.column_stack([table["visit"] + table["arm"] == name for name in set(table["visit"] + table["arm"])])
    classic = repeated_measures_correlation(table["subject_id"], table[cohort.TREGS], table["das28_crp"], cells)
    assert classic.correlation.r == pytest.approx(expected)
    assert classic.correlation.p_value == pytest.approx(full.pvalues["treg"])
    assert classic.correlation.df == full.df_resid == 60 - 20 - 4 - 1


def by_formula(table: pd.DataFrame) -> tuple[float, Any]:
    """The correlation from sums of squares, and the fit it is from."""
    renamed = table.rename(columns={cohort.TREGS: "treg"})
    for visit in ("month1", "month3"):  # arm itself is in the subjects
        renamed[visit] = ((renamed["arm"] == "UC-MSC") & (renamed["visit"] == visit)).astype(float)
    without = smf.ols("das28_crp ~ C(subject_id) + C(visit) + month1 + month3", renamed).fit()
    full = smf.ols("das28_crp ~ C(subject_id) + C(visit) + month1 + month3 + treg", renamed).fit()
    explained = without.ssr - full.ssr
    return float(np.sign(full.params["treg"]) * np.sqrt(explained / (explained + full.ssr))), full


def test_the_jackknife_is_that_of_leaving_each_subject_out() -> None:
    """Each refit by statsmodels' formulas; one visit of two subjects is missing, so that nothing is balanced."""
    table = cohort.linked(seed=4, subjects=12).drop(index=[4, 17]).reset_index(drop=True)
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"}}}
    found = analyse({"linked": table}, plan).results.iloc[0]
    z = math.atanh(by_formula(table)[0])
    left = [math.atanh(by_formula(table[table["subject_id"] != who])[0]) for who in set(table["subject_id"])]
    se = math.sqrt(11 / 12 * sum((each - z) ** 2 for each in left))
    assert found["statistic"] == pytest.approx(z / se)
    assert found["df"] == 11
    half = 2.200985160 * se  # 97.5 % of Student's t with 11 df, from tables
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((math.tanh(z - half), math.tanh(z + half)))
    assert (found["p_value"] < 0.05) == (found["ci_high"] < 0)
    assert "jackknife over subjects" in found["note"]


def test_courses_of_their_own_are_no_association() -> None:
    """400 null cohorts of 40 subjects, both values random walks in each: the classical test takes many for a link."""
    draw = np.random.default_rng(5)
    who, hits = np.repeat(np.arange(40), 6), np.zeros(2)
    for _ in range(400):
        x, y = (draw.normal(size=(40, 6)).cumsum(axis=1).ravel() for _ in range(2))
        for place, method in enumerate((clustered_correlation, repeated_measures_correlation)):
            hits[place] += method(who, x, y).correlation.p_value < 0.05
    assert 0.017 < hits[0] / 400 < 0.083
    assert hits[1] / 400 > 0.15


def test_a_subject_alone_in_a_cell_can_be_left_out() -> None:
    """Only P000 has a fourth visit, P001 alone its own arm: the column goes with the subject, and no number is lost."""
    table = cohort.linked(seed=4, subjects=12)
    extra = table.iloc[[0]].assign(visit="month6", day=180, das28_crp=4.0)
    table = pd.concat([table, extra], ignore_index=True)
    table.loc[table["subject_id"] == "P001", "arm"] = "other"
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"}}}
    row = analyse({"linked": table}, plan).results.iloc[0]
    rest = table[~table["subject_id"].isin(["P001"]) & (table["visit"] != "month6")]
    assert row["estimate"] == pytest.approx(by_formula(rest)[0])
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_three_subjects_have_a_coefficient_and_no_test() -> None:
    table = bland_altman.table()
    few = table[table["subject_id"].isin(["3", "5", "8"])]
    found = clustered_correlation(few["subject_id"], few["ph"], few["paco2"]).correlation
    assert np.isfinite(found.r)
    assert np.isnan(found.p_value)
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": "ph", "y": "paco2", "adjust": []}}}
    note = (
        analyse({"linked": few[few["visit"].isin(["visit1", "visit2", "visit3"])]}, plan).results["note"].iloc[0]
    )
    assert "3 subjects: at least 4 are needed" in note


def test_subjects_with_one_pair_say_nothing() -> None:
    table = bland_altman.table()
    who = [*table["subject_id"], "lonely", "half"]
    x, y = [*table["ph"], 9.0, 7.0], [*table["paco2"], 9.0, np.nan]
    alone = repeated_measures_correlation(table["subject_id"], table["ph"], table["paco2"])
    assert repeated_measures_correlation(who, x, y) == alone


def test_what_visits_do_to_everyone_is_not_an_association() -> None:
    """Both values rise with time and nothing else: the unadjusted r is high, the adjusted one is noise."""
    draw = np.random.default_rng(2)
    table = cohort.linked(subjects=40)
    time = table["day"] / 30
    table["das28_crp"] = 2 * time + draw.normal(size=len(time))
    table[cohort.TREGS] = 2 * time + draw.normal(size=len(time)) + 5
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"}}}
    adjusted, crude = (row for _, row in analyse({"linked": table}, plan).results.iterrows())
    assert crude["estimate"] > 0.7
    assert abs(adjusted["estimate"]) < 0.25
    assert crude["note"].startswith("descriptive")


def test_noise_is_called_an_association_one_time_in_twenty() -> None:
    """400 null cohorts of 20 subjects x 4 visits that differ between subjects: within 3 standard errors of 5 %."""
    draw = np.random.default_rng(8)
    who = np.repeat(np.arange(20), 4)
    hits = 0
    for _ in range(400):
        own = draw.normal(0, 3, 20)[who]
        x, y = own + draw.normal(size=80), own + draw.normal(size=80)
        hits += repeated_measures_correlation(who, x, y).correlation.p_value < 0.05
    assert 0.017 < hits / 400 < 0.083


def test_too_little_gives_a_reason() -> None:
    plan = {"analyses": {"q": {"type": "repeated_correlation", "x": "ph", "y": "paco2", "adjust": []}}}
    table = bland_altman.table()
    rows = analyse({"linked": table[table["visit"] == "visit1"]}, plan).results
    assert np.isnan(rows["estimate"].iloc[0])
    assert "0 pairs of 0 subjects" in rows["note"].iloc[0]


def test_its_power_is_that_of_the_error_between_subjects() -> None:
    """Fisher's z over the standard error of the jackknife, normal: not over that of as many independent visits."""
    table = cohort.linked(seed=4, subjects=30)
    asked = {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"}
    plan = {"analyses": {"q": asked, "p": {"type": "power", "analysis": "q", "effect": -0.2}}}
    results = analyse({"linked": table}, plan).results
    row = results[results["analysis"] == "q"].iloc[0]
    se = abs(math.atanh(row["estimate"]) / row["statistic"])
    away = math.atanh(0.2) / se
    expected = norm.cdf(away - 1.959964) + norm.cdf(-away - 1.959964)
    assert results[results["analysis"] == "p"]["estimate"].iloc[0] == pytest.approx(expected, rel=1e-5)
