"""Pooling over imputed tables, judged by R's mice and by what is the same in all tables."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy import stats

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.missing.rubin import pool, pool_rows

FIVE = [0.31, 0.12, 0.45, 0.27, 0.5]
VARIANCES = [0.011, 0.012, 0.0105, 0.013, 0.0122]

# R 4.2.2, mice 3.15.0: pool.scalar(Q, U, n = df + k, k = k): qbar, t, df, fmi
MICE = [
    ([2.0, 2.4, 2.2], [0.04, 0.05, 0.06], 30, 2.2, 0.103333333333, 4.841960296933, 0.639534647543),
    (FIVE, VARIANCES, 25, 0.33, 0.03916, 3.755740150356, 0.788957173784),
    (FIVE, VARIANCES, math.inf, 0.33, 0.03916, 8.158502607679, 0.753938329586),
]


@pytest.mark.parametrize(("q", "u", "complete", "mean", "total", "df", "fmi"), MICE)
def test_rubins_rules_with_barnard_and_rubins_df_are_those_of_mice(
    q: list[float], u: list[float], complete: float, mean: float, total: float, df: float, fmi: float
) -> None:
    found = pool(q, u, complete)
    assert found.estimate == pytest.approx(mean)
    assert found.se**2 == pytest.approx(total, rel=1e-10)
    assert found.df == pytest.approx(df, rel=1e-10)
    assert found.missing_information == pytest.approx(fmi, rel=1e-10)


def row(estimate: float, low: float, high: float, **more: object) -> Estimate:
    given = {"term": "mean change", "primary": True, "p_value": 0.5, "n_subjects": 30} | more
    return Estimate(analysis="a", type="t", outcome="y", estimate=estimate, ci_low=low, ci_high=high, **given)  # type: ignore[arg-type]


def test_a_correlation_is_pooled_on_fishers_z() -> None:
    """By hand: z = atanh(r), variance 1 / (n - 3) from the interval's arms, the mean back through tanh."""
    rs, half = (0.3, 0.5, 0.4), stats.norm.ppf(0.975) / math.sqrt(27)
    tables = [
        [
            row(
                r,
                math.tanh(math.atanh(r) - half),
                math.tanh(math.atanh(r) + half),
                term="Pearson correlation",
                df=28.0,
            )
        ]
        for r in rs
    ]
    ((found, how),) = pool_rows(tables)
    z = [math.atanh(r) for r in rs]
    by_hand = pool(z, [1 / 27] * 3, 28.0)
    assert found.estimate == pytest.approx(math.tanh(sum(z) / 3))
    end = by_hand.estimate + stats.t.ppf(0.975, by_hand.df) * by_hand.se
    assert found.ci_high == pytest.approx(math.tanh(end))
    assert found.p_value == pytest.approx(2 * stats.t.sf(by_hand.estimate / by_hand.se, by_hand.df))
    assert how is not None and how.missing_information == pytest.approx(by_hand.missing_information)
    assert "Fisher's z" in found.note


def test_a_ratio_is_pooled_as_its_logarithm() -> None:
    half = 0.4 * stats.norm.ppf(0.975)
    tables = [
        [row(math.exp(b), math.exp(b - half), math.exp(b + half), term="odds ratio")] for b in (0.1, 0.4, 0.25)
    ]
    ((found, _),) = pool_rows(tables)
    assert found.estimate == pytest.approx(math.exp(0.25))
    by_hand = pool([0.1, 0.4, 0.25], [0.16] * 3)
    assert found.ci_low == pytest.approx(math.exp(0.25 - stats.t.ppf(0.975, by_hand.df) * by_hand.se))


def test_rows_that_are_the_same_in_all_tables_stay_as_they_are() -> None:
    same = row(1.0, 0.2, 1.9, se=0.4, df=12.0)
    assert pool_rows([[same], [same], [same]])[0][0] == same


def test_a_model_that_failed_in_one_table_gives_no_number() -> None:
    failed = replace(row(math.nan, math.nan, math.nan), p_value=math.nan, note="did not converge")
    ((found, how),) = pool_rows([[row(1.0, 0.2, 1.9)], [failed]])
    assert math.isnan(found.estimate) and math.isnan(found.p_value) and how is None
    assert "1 of 2 imputed tables gave no answer: did not converge" in found.note


def test_a_test_without_an_estimate_has_the_median_p() -> None:
    tables = [[row(math.nan, math.nan, math.nan, p_value=p, term="Wald")] for p in (0.01, 0.2, 0.04)]
    assert pool_rows(tables)[0][0].p_value == pytest.approx(0.04)
