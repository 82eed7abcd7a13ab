"""Areas against pROC and scipy on published data; the cut-off and its optimism; arms that make an area of nothing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from cytoreg.stats.estimate import Estimate
from cytoreg.stats.missing.rubin import pooled_estimate
from cytoreg.stats.roc import area_interval, area_under_curve, best_cut

PLAN = {"analyses": {"q": {"type": "roc", "value": "treg", "outcome": "acr20", "at": "month3"}}}


@pytest.fixture(scope="module")
def grades() -> pd.DataFrame:
    """Spector & Mazzeo's 32 students, as bundled with statsmodels: grade improved or not, by GPA and test score."""
    return sm.datasets.spector.load_pandas().data


@pytest.mark.parametrize(
    ("name", "area", "low", "p", "cut", "sensitivity", "specificity"),
    [
        ("GPA", 0.7943722944, 0.5982675716, 0.006960907844, 3.14, 0.8181818182, 0.7619047619),
        ("TUCE", 0.6688311688, 0.4580928572, 0.120235915, 26.5, 0.2727272727, 1.0),
    ],
)
def test_area_interval_test_and_cut_are_those_of_proc(
    grades: pd.DataFrame,
    name: str,
    area: float,
    low: float,
    p: float,
    cut: float,
    sensitivity: float,
    specificity: float,
) -> None:
    """ci.auc(roc(GRADE, x, direction = "<")), coords("best"), pROC 1.18.0; wilcox.test(exact = F, correct = F), R 4.2.2."""
    linked = pd.DataFrame({"treg": grades[name], "acr20": grades["GRADE"], "visit": "month3", "day": 90.0})
    linked["subject_id"] = [f"P{i}" for i in range(32)]
    rows = analyse({"linked": linked}, PLAN).results
    row = rows.iloc[0]
    assert row["primary"] and row["n_subjects"] == 32
    plain = rows[rows["term"].str.startswith("DeLong's plain interval")].iloc[0]
    assert (plain["estimate"], plain["ci_low"]) == pytest.approx((area, low), abs=1e-8)
    assert np.isnan(plain["p_value"]) and not plain["primary"]
    assert row["estimate"] == plain["estimate"] and row["se"] == plain["se"]
    assert row["p_value"] == pytest.approx(p, abs=1e-9)
    found = rows[rows["term"].str.contains("cut-off by")].iloc[0]
    assert found["estimate"] == pytest.approx(cut)
    assert found["ci_low"] <= cut <= found["ci_high"]
    apparent = best_cut(grades[name], grades["GRADE"] == 1).apparent
    assert apparent == pytest.approx(sensitivity + specificity - 1)


def test_the_variance_of_delong_for_gpa(grades: pd.DataFrame) -> None:
    """var(roc(GRADE, GPA)), pROC 1.18.0."""
    assert area_under_curve(grades["GPA"], grades["GRADE"] == 1).variance == pytest.approx(
        0.01001105676, abs=1e-11
    )


def test_the_interval_is_of_log_odds_with_the_degrees_of_freedom_of_brunner_and_munzel(
    grades: pd.DataFrame,
) -> None:
    """scipy's brunnermunzel has the same t and p for (area - 1/2) / se; on log odds the delta method, by hand."""
    linked = pd.DataFrame({"treg": grades["GPA"], "acr20": grades["GRADE"], "visit": "month3", "day": 90.0})
    row = analyse({"linked": linked.assign(subject_id=[f"P{i}" for i in range(32)])}, PLAN).results.iloc[0]
    with_, without = (grades.loc[grades["GRADE"] == kind, "GPA"] for kind in (1, 0))
    test = stats.brunnermunzel(without, with_)
    t = (row["estimate"] - 0.5) / row["se"]
    assert t == pytest.approx(test.statistic)
    assert 2 * stats.t.sf(abs(t), row["df"]) == pytest.approx(test.pvalue)
    odds = row["estimate"] / (1 - row["estimate"])
    factor = np.exp(stats.t.ppf(0.975, row["df"]) * row["se"] / (row["estimate"] * (1 - row["estimate"])))
    ends = [odds / factor, odds * factor]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([end / (1 + end) for end in ends])


def test_few_with_the_outcome_have_an_interval_that_holds() -> None:
    """8 with and 60 without, area 0.85: 94 % of 4,000 draws, DeLong's plain one 85 % (docs/guides/statistics.md)."""
    draw, truth = np.random.default_rng(8), np.arange(68) < 8
    held, plain, draws = 0, 0, 1000
    for _ in range(draws):
        found = area_under_curve(draw.normal(size=68) + np.sqrt(2) * stats.norm.ppf(0.85) * truth, truth)
        if found.value < 1:
            low, high, _ = area_interval(found.value, list(zip(found.variances, (7, 59), strict=True)))
            held += low <= 0.85 <= high
        plain += abs(found.value - 0.85) < 1.96 * np.sqrt(found.variance)
    assert held / draws > 0.94 - 3 * np.sqrt(0.94 * 0.06 / draws)
    assert plain / draws < 0.9


def test_what_a_cut_off_is_worth_has_wilsons_and_newcombes_intervals() -> None:
    draw = np.random.default_rng(2)
    truth = np.arange(60) < 20
    cut = best_cut(draw.normal(size=60) + truth, truth)
    for (share, low, high), n in ((cut.sensitivity, 20), (cut.specificity, 40)):
        z = stats.norm.ppf(0.975)
        for end in (low, high):  # Wilson: the shares from which the one found lies z standard errors off
            assert abs(share - end) == pytest.approx(z * np.sqrt(end * (1 - end) / n))
    index, low, high = cut.index
    assert index == pytest.approx(cut.sensitivity[0] + cut.specificity[0] - 1)
    squares = [
        (cut.sensitivity[0] - cut.sensitivity[i]) ** 2 + (cut.specificity[0] - cut.specificity[i]) ** 2
        for i in (1, 2)
    ]
    assert [index - low, high - index] == pytest.approx(np.sqrt(squares))


def test_the_null_variance_is_that_of_wilcoxon_with_ties() -> None:
    value = np.array([1, 1, 2, 2, 2, 3, 4, 4, 5, 6.0])
    truth = np.array([0, 0, 0, 1, 0, 1, 0, 1, 1, 1], bool)
    found = area_under_curve(value, truth)
    test = stats.mannwhitneyu(value[truth], value[~truth], use_continuity=False, method="asymptotic")
    z = (found.value - 0.5) / np.sqrt(found.null_variance)
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(test.pvalue)


def test_a_perfect_value_has_no_interval_and_a_constant_one_no_test() -> None:
    linked = pd.DataFrame({"subject_id": list("abcdefgh"), "visit": "month3", "treg": np.arange(8.0)})
    linked["acr20"] = [0, 0, 0, 0, 1, 1, 1, 1]
    row = analyse({"linked": linked}, PLAN).results.iloc[0]
    assert row["estimate"] == 1 and np.isnan(row["ci_low"]) and "parts the two kinds wholly" in row["note"]
    row = analyse({"linked": linked.assign(treg=1.0)}, PLAN).results.iloc[0]
    assert np.isnan(row["p_value"]) and "does not vary" in row["note"]


def test_optimism_is_what_noise_gains() -> None:
    """100 cohorts of 40 in which the value tells nothing: the apparent index is well above 0, the corrected near it."""
    draw = np.random.default_rng(6)
    truth = np.arange(40) % 2 == 1
    found = [best_cut(draw.normal(size=40), truth, resamples=200) for _ in range(100)]
    apparent, corrected = np.mean([cut.apparent for cut in found]), np.mean([cut.index[0] for cut in found])
    assert apparent > 0.15
    assert abs(corrected) < 0.5 * apparent


def trial(seed: int, subjects: int = 100) -> pd.DataFrame:
    """Value and outcome both differ between the arms, and have nothing to do with each other within one."""
    draw = np.random.default_rng(seed)
    arm = np.arange(subjects) % 2
    frame = pd.DataFrame({"subject_id": [f"P{i}" for i in range(subjects)], "visit": "month3", "day": 90.0})
    frame["arm"] = np.where(arm, "MSC", "DMARD")
    frame["treg"] = draw.normal(size=subjects) + arm
    frame["acr20"] = (draw.random(subjects) < 0.25 + 0.4 * arm).astype(float)
    return frame


def test_arms_that_differ_make_no_area_within_them() -> None:
    hits, pooled = 0, 0
    for seed in range(40):
        rows = analyse(
            {"linked": trial(seed)}, {"analyses": {"q": PLAN["analyses"]["q"] | {"resamples": 100}}}
        ).results
        hits += rows["p_value"].iloc[0] < 0.05
        pooled += rows["p_value"].iloc[3] < 0.05
        assert rows["note"].iloc[3].startswith("descriptive")
    assert hits <= 8  # P(more) is below 0.001 at 5 %
    assert pooled > 9


def test_imputed_areas_are_pooled_as_log_odds_and_judged_against_one_half() -> None:
    """Two tables of 60 in which the value tells nothing: Rubin's rules on log odds by hand."""
    rows = []
    for seed in (1, 2):
        table = trial(seed, 60)
        linked = {"linked": table.drop(columns="arm")}
        found = analyse(linked, PLAN).results.iloc[0]
        rows.append(Estimate(**{field.name: found[field.name] for field in fields(Estimate)}))
    pooled, _ = pooled_estimate(rows)
    odds = [np.log(row.estimate / (1 - row.estimate)) for row in rows]
    within = np.mean([(row.se / (row.estimate * (1 - row.estimate))) ** 2 for row in rows])
    total = within + 1.5 * np.var(odds, ddof=1)
    assert np.log(pooled.estimate / (1 - pooled.estimate)) == pytest.approx(np.mean(odds))
    assert pooled.statistic == pytest.approx(
        np.mean(odds) / np.sqrt(total), rel=0.01
    )  # the mean of two df stands for both


def test_the_area_over_arms_is_the_weighted_one_of_proc(real) -> None:  # type: ignore[no-untyped-def]
    """Auranofin trial: self-assessment at month 1 for 4 or better at month 5, by arm: auc and var by pROC 1.18.0."""
    table = pd.read_csv(real / "clinical_tables" / "ra_auranofin_trial.csv")
    wide = table.pivot_table(index=["id", "trt"], columns="time", values="y").reset_index()
    wide = wide[["id", "trt", 1, 5]].dropna()
    areas, variances = np.array([0.811030564263, 0.733162100457]), np.array([0.001219029328, 0.001378207190])
    cases, rest = np.array([58, 73]), np.array([88, 72])
    weights = cases * rest / (cases + rest + 1)
    weights = weights / weights.sum()
    linked = pd.DataFrame(
        {"subject_id": wide["id"].astype(str), "visit": "month5", "arm": wide["trt"].astype(str)}
    )
    linked["treg"], linked["acr20"] = wide[1].to_numpy(), (wide[5] >= 4).astype(float).to_numpy()
    question = PLAN["analyses"]["q"] | {"at": "month5"}
    row = analyse({"linked": linked}, {"analyses": {"q": question}}).results.iloc[0]
    assert row["n_subjects"] == 291
    assert row["estimate"] == pytest.approx(weights @ areas, abs=1e-9)
    assert row["se"] == pytest.approx(np.sqrt(weights**2 @ variances), abs=1e-9)


def test_an_outcome_that_is_no_yes_or_no_is_an_error() -> None:
    with pytest.raises(AnalysisError, match="holds 2, expected only 0 and 1"):
        analyse({"linked": trial(1).assign(acr20=2.0)}, PLAN)
