"""Repeated-measures correlation against the data on which it was published."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.formula.api as smf

from cytoreg.stats import analyse, repeated_measures_correlation
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
    renamed = table.rename(columns={cohort.TREGS: "treg"})
    for visit in ("month1", "month3"):  # arm itself is in the subjects
        renamed[visit] = ((renamed["arm"] == "UC-MSC") & (renamed["visit"] == visit)).astype(float)
    without = smf.ols("das28_crp ~ C(subject_id) + C(visit) + month1 + month3", renamed).fit()
    full = smf.ols("das28_crp ~ C(subject_id) + C(visit) + month1 + month3 + treg", renamed).fit()
    explained = without.ssr - full.ssr
    expected = np.sign(full.params["treg"]) * np.sqrt(explained / (explained + full.ssr))
    assert found["estimate"] == pytest.approx(expected)
    assert found["p_value"] == pytest.approx(full.pvalues["treg"])
    assert found["df"] == full.df_resid == 60 - 20 - 4 - 1
    assert found["primary"]


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
