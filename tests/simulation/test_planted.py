"""Planted values are what a very large study of the same kind would find."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from cytoreg.clinical.scores import das28_crp
from cytoreg.simulation.cohort import simulate_cohort
from cytoreg.simulation.planted import planted_values


def planted(scenario: str = "effects", **how: int) -> dict[tuple[str, str], float]:
    table = planted_values(scenario, **how)
    return {(row.analysis, row.arm): row.planted for row in table.itertuples()}


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    """5,000 patients with Tregs counted among 6,000 CD4+ cells: one row a visit, by the package's cohort."""
    cohort = simulate_cohort(5000, "effects", seed=11)
    table = cohort.visits.merge(cohort.subjects)
    table["das28"] = das28_crp(
        **{name: table[name] for name in ("tender28", "swollen28", "crp", "patient_global")}
    )
    treg = np.random.default_rng(1).binomial(6000, cohort.latent.treg.ravel()) / 6000
    table["treg"], table["logit"] = treg, np.log(treg / (1 - treg))
    return table


def test_a_trial_without_effects_has_nothing_planted() -> None:
    assert set(planted("null").values()) == {0.0}


def test_shared_trend_plants_changes_and_no_link() -> None:
    values = planted("shared_trend")
    assert values["treg_vs_das28", ""] == values["within_patient", ""] == 0
    assert values["treg_rises", "UC-MSC"] > 0.4
    assert values["arms_differ", ""] < -0.9


def test_mean_changes_and_differences_of_arms_agree_with_regression(large: pd.DataFrame) -> None:
    values = planted()
    for value, change, arms in (("logit", "treg_rises", "treg_arms"), ("das28", "activity_falls", "arms_differ")):
        wide = large.pivot_table(index="subject_id", columns="visit", values=value).reset_index()
        wide = wide.merge(large[["subject_id", "arm"]].drop_duplicates())
        wide["gain"] = wide["month3"] - wide["baseline"]
        for arm, gain in wide.groupby("arm")["gain"]:
            assert gain.mean() == pytest.approx(values[change, arm], abs=3.5 * gain.sem() + 0.01)
        fit = smf.ols("month3 ~ C(arm, Treatment('DMARD')) + baseline", wide).fit()
        assert fit.params.iloc[1] == pytest.approx(values[arms, ""], abs=3.5 * fit.bse.iloc[1] + 0.01)


def test_correlation_within_patients_agrees_with_an_analysis_of_covariance(large: pd.DataFrame) -> None:
    """Bland and Altman's definition, by least squares with a constant for each of 300 patients."""
    few = large[large["subject_id"].isin(large["subject_id"].unique()[:300])]
    cells = (few["arm"] == "UC-MSC").astype(float)  # arm itself is within the constants of the patients
    few = few.assign(month1=cells * (few["visit"] == "month1"), month3=cells * (few["visit"] == "month3"))
    base = smf.ols("das28 ~ C(subject_id) + C(visit) + month1 + month3", few).fit()
    full = smf.ols("das28 ~ C(subject_id) + C(visit) + month1 + month3 + treg", few).fit()
    r = np.sign(full.params["treg"]) * np.sqrt(1 - full.ssr / base.ssr)
    assert r == pytest.approx(planted()["within_patient", ""], abs=4 * (1 - r**2) / np.sqrt(600))


def test_partial_correlation_agrees_with_the_inverse_of_the_rank_correlations(large: pd.DataFrame) -> None:
    """The other textbook way to a partial correlation: minus a scaled element of the inverse matrix."""
    x = large.pivot_table(index="subject_id", columns="visit", values="treg")
    y = large.pivot_table(index="subject_id", columns="visit", values="das28")
    arm = large.drop_duplicates("subject_id").set_index("subject_id")["arm"].eq("UC-MSC").astype(float)
    columns = [x["month3"] - x["baseline"], y["month3"] - y["baseline"], arm, x["baseline"], y["baseline"]]
    inverse = np.linalg.inv(pd.concat(columns, axis=1).rank().corr().to_numpy())
    r = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert r == pytest.approx(planted()["treg_vs_das28", ""], abs=0.03)


def test_few_cells_weaken_what_can_be_found() -> None:
    many, few = planted(events=50_000), planted(events=2_000)
    assert abs(few["within_patient", ""]) < abs(many["within_patient", ""]) - 0.05
    assert few["arms_differ", ""] == pytest.approx(many["arms_differ", ""], abs=0.02)


def test_planted_values_are_the_same_each_time_and_quick() -> None:
    start = time.perf_counter()
    first = planted_values("effects")
    assert time.perf_counter() - start < 5  # 0.5 s on a quiet machine
    pd.testing.assert_frame_equal(first, planted_values("effects"))
