"""Values below a limit: the likelihood beside R's tobit regression and an independent one, planted truths, and signs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from cytoreg.stats.censored import both_below, fit_paired_change
from tests.stats.judged import judged

R = judged("cytokines")
# 16 pairs put together for benchmarks/judge/cytokines.R; the limit is 2.5
BEFORE = [12.1, 8.4, 15.3, 22.0, 6.9, 9.8, 31.2, 18.5, 11.1, 7.7, 14.2, 25.6, 10.3, 16.8, 9.1, 13.4]
AFTER = [5.2, 3.1, 9.9, 12.4, 2.5, 2.5, 15.8, 7.7, 4.6, 2.5, 6.1, 10.7, 2.5, 8.8, 2.5, 7.2]
BELOW = ["<" if value == 2.5 else "" for value in AFTER]


def table(before: list[float], after: list[float], marks: list[tuple[str, str]], **more: object) -> pd.DataFrame:
    n = len(before)
    frame = {
        "subject_id": np.repeat([f"P{i}" for i in range(n)], 2),
        "visit": ["baseline", "month1"] * n,
        "il6": np.column_stack([before, after]).ravel(),
        "il6 censored": [mark for pair in marks for mark in pair],
    }
    return pd.DataFrame(frame | {name: np.repeat(np.asarray(values), 2) for name, values in more.items()})


def plan(**keys: object) -> dict:
    return {"analyses": {"q": {"type": "cytokines", "values": ["il6"], "to": "month1"} | keys}}


def test_a_censored_second_visit_is_rs_tobit_regression() -> None:
    linked = table(BEFORE, AFTER, [("", mark) for mark in BELOW])
    row = analyse({"linked": linked}, plan()).results.iloc[0]
    assert row["primary"]
    assert row["estimate"] == pytest.approx(R["change"], rel=1e-5)
    assert row["se"] == pytest.approx(R["se"], rel=1e-4)
    assert row["df"] == 15
    assert "5 after" in row["note"]
    signs = -(np.array(AFTER) == 2.5).astype(float)
    fit = fit_paired_change(np.log(BEFORE), np.log(AFTER), np.zeros(16), signs)
    assert fit is not None
    assert fit.log_likelihood == pytest.approx(R["log_likelihood"], rel=1e-7)
    assert fit.sd_after == pytest.approx(R["sd_after"], rel=1e-4)


def test_where_nothing_is_censored_it_is_the_paired_t_test() -> None:
    linked = table(BEFORE, AFTER, [("", "")] * 16)
    row = analyse({"linked": linked}, plan()).results.iloc[0]
    test = stats.ttest_rel(np.log(AFTER), np.log(BEFORE))
    interval = test.confidence_interval()
    found = row[["statistic", "df", "p_value", "ci_low", "ci_high"]].tolist()
    assert found == pytest.approx([test.statistic, 15, test.pvalue, interval.low, interval.high], rel=1e-9)


def test_both_visits_censored_beside_another_likelihood_and_another_optimiser() -> None:
    draw = np.random.default_rng(4)
    pairs = draw.multivariate_normal([2.0, 1.6], [[0.4, 0.2], [0.2, 0.5]], 60)
    low, high = 1.5, 2.9
    values, signs = np.clip(pairs, low, high), np.where(pairs < low, -1.0, np.where(pairs > high, 1.0, 0.0))
    assert (np.abs(signs).sum(axis=1) == 2).sum() > 5
    ends = np.where(signs < 0, -np.inf, values), np.where(signs > 0, np.inf, values)

    def minus(theta: np.ndarray) -> float:
        mean = np.array([theta[0], theta[0] + theta[1]])
        sd, r = np.exp(theta[2:4]), np.tanh(theta[4])
        covariance = np.array([[sd[0] ** 2, r * sd[0] * sd[1]], [r * sd[0] * sd[1], sd[1] ** 2]])
        total = 0.0
        for i, (a, b) in enumerate(signs):
            if a == b == 0:
                total += stats.multivariate_normal.logpdf(values[i], mean, covariance)
            elif a and b:
                box = stats.multivariate_normal(mean, covariance)
                total += math.log(box.cdf(ends[1][i], lower_limit=ends[0][i]))
            else:
                known, hidden = (0, 1) if a == 0 else (1, 0)
                slope = covariance[hidden, known] / covariance[known, known]
                centre = mean[hidden] + slope * (values[i, known] - mean[known])
                spread = math.sqrt(covariance[hidden, hidden] - slope * covariance[known, hidden])
                between = stats.norm.cdf([ends[0][i, hidden], ends[1][i, hidden]], centre, spread)
                total += stats.norm.logpdf(values[i, known], mean[known], math.sqrt(covariance[known, known]))
                total += math.log(between[1] - between[0])
        return -total

    ours = fit_paired_change(values[:, 0], values[:, 1], signs[:, 0], signs[:, 1])
    assert ours is not None
    at = [
        ours.mean_before,
        ours.change,
        math.log(ours.sd_before),
        math.log(ours.sd_after),
        math.atanh(ours.correlation),
    ]
    assert minus(np.array(at)) == pytest.approx(-ours.log_likelihood, rel=1e-8)
    theirs = optimize.minimize(minus, np.array(at) + 0.05, method="BFGS", options={"gtol": 1e-3})
    assert theirs.fun == pytest.approx(-ours.log_likelihood, abs=1e-4)
    assert theirs.x[1] == pytest.approx(ours.change, abs=2e-3)


@pytest.mark.parametrize(
    ("h", "k", "rho"), [(0.3, -0.7, 0.6), (-2, -1.5, 0.95), (1, 2, -0.99), (-3, -3, 0.0), (0, 0, 0.5)]
)
def test_the_bivariate_normal_distribution_beside_scipys(h: float, k: float, rho: float) -> None:
    expected = stats.multivariate_normal.cdf([h, k], cov=[[1, rho], [rho, 1]])
    assert float(both_below(h, k, rho)) == pytest.approx(expected, abs=1e-9)


def test_half_of_the_limit_would_have_been_wrong_and_this_is_not() -> None:
    """A fall by a third, a fourth of the second visits below the limit."""
    draw = np.random.default_rng(5)
    estimates, halves = [], []
    for _ in range(30):
        pairs = draw.multivariate_normal([2.0, 2.0 + math.log(2 / 3)], [[0.3, 0.15], [0.15, 0.3]], 120)
        limit = 1.2
        sign = np.where(pairs < limit, -1.0, 0.0)
        values = np.maximum(pairs, limit)
        fit = fit_paired_change(values[:, 0], values[:, 1], sign[:, 0], sign[:, 1])
        assert fit is not None
        estimates.append(fit.change)
        filled = np.where(sign < 0, limit - math.log(2), values)
        halves.append(float((filled[:, 1] - filled[:, 0]).mean()))
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(math.log(2 / 3), abs=3 * error)
    assert abs(np.mean(halves) - math.log(2 / 3)) > 3 * error


def test_by_arm_the_difference_of_changes_answers() -> None:
    arms = ["UC-MSC", "DMARD"] * 8
    linked = table(BEFORE, AFTER, [("", "")] * 16, arm=arms)
    analysis = analyse({"linked": linked}, plan(by="arm") | {"treatment": {"control": "DMARD"}})
    row = analysis.results.iloc[0]
    change = np.log(AFTER) - np.log(BEFORE)
    welch = stats.ttest_ind(change[0::2], change[1::2], equal_var=False)
    assert row["contrast"] == "UC-MSC - DMARD"
    assert [row["statistic"], row["df"], row["p_value"]] == pytest.approx(
        [welch.statistic, welch.df, welch.pvalue]
    )
    assert analysis.results["primary"].tolist() == [True] + [False] * (len(analysis.results) - 1)
    assert "UC-MSC than in DMARD" in analysis.sentences["q"]


def test_several_values_are_a_family_of_their_own() -> None:
    linked = table(BEFORE, AFTER, [("", mark) for mark in BELOW])
    linked["tnf_alpha"] = np.column_stack([AFTER, BEFORE[::-1]]).ravel()
    rows = analyse({"linked": linked}, plan(values=["il6", "tnf_alpha"])).results
    tested = rows[rows["p_adjusted"].notna()]
    assert tested["outcome"].tolist() == ["il6", "tnf_alpha"]
    assert tested["p_adjusted"].min() == pytest.approx(2 * tested["p_value"].min())
    assert rows["primary"].sum() == 1


def test_the_sign_test_orders_only_what_limits_allow() -> None:
    """Falls: 5 to 3, 5 to below 2.5, above 9 to 8, 2.5 to below 2.5. Rises: below 2.5 to 4. Two below 2.5: not known."""
    before, after = [5, 5, 9, 2.5, 2.5, 2.5, 7], [3, 2.5, 8, 2.5, 4, 2.5, 7]
    marks = [("", ""), ("", "<"), (">", ""), ("", "<"), ("<", ""), ("<", "<"), ("", "")]
    rows = analyse({"linked": table(before, after, marks)}, plan()).results
    row = rows[rows["term"].str.contains("sign test")].iloc[0]
    assert (row["n_subjects"], row["estimate"]) == (5, 0.8)
    assert row["p_value"] == pytest.approx(0.375)  # 2 * (1 + 5) / 2^5
    assert "2 pairs cannot be ordered" in row["note"]


def test_too_many_below_the_limit_are_a_reason() -> None:
    linked = table(BEFORE, [2.5] * 16, [("", "<")] * 16)
    row = analyse({"linked": linked}, plan()).results.iloc[0]
    assert math.isnan(row["p_value"])
    assert "fewer than 4 measured values" in row["note"]


def test_a_mark_that_is_none_is_refused() -> None:
    with pytest.raises(AnalysisError, match="expected <, > or nothing"):
        analyse({"linked": table(BEFORE, AFTER, [("", "n.d.")] * 16)}, plan())
