"""Partial correlations, with their tests and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from cytoreg.stats.estimate import Estimate, fisher_interval

__all__ = [
    "NOTHING",
    "Correlation",
    "correlate",
    "dummies",
    "filled",
    "partial_correlation",
    "residuals",
    "t_test_of",
]

LEAST_DF = 2


@dataclass(frozen=True)
class Correlation:
    """A correlation coefficient with its test and 95 % interval; NaN where there is too little to go by."""

    r: float
    df: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float


NOTHING = Correlation(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


def partial_correlation(
    x: Any, y: Any, covariates: Any = None, groups: Any = None, *, method: str = "pearson"
) -> Correlation:
    """The correlation of x and y with covariates held fixed.

    x, y: shape (n,). covariates: shape (n, k) of numbers. groups: shape (n, g) of indicator columns. Both x
    and y are regressed on all of them and the residuals correlated; for method="spearman" x, y and the
    covariates are replaced by their ranks first. With c columns that count, df = n - 2 - c, the test is
    Student's t, and the interval is Fisher's z with variance 1 / (n - c - 3), for ranks times 1 + r^2 / 2
    (Bonett & Wright, Psychometrika 2000;65:23-28). method="kendall" is tau-b of the residuals: no inverse of a
    table of taus, which is not 0 where x and y are independent given the covariates (Korn, Am Stat
    1984;38:61-62). Its test is normal, of Kendall's variance for n - c values, ties as in the residuals; its interval
    Fisher's z with variance 0.437 / (n - c - 4) (Fieller, Hartley & Pearson, Biometrika 1957;44:470-481).
    All NaN where df is below 2 or x or y does not vary; only r where the residuals lie on one line, which few
    points do easily.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n = len(x)
    if n == 0:
        return NOTHING
    fixed = np.ones((n, 1))
    numbers = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(n, -1)
    if method == "spearman":
        x, y = stats.rankdata(x), stats.rankdata(y)
        numbers = np.apply_along_axis(stats.rankdata, 0, numbers) if numbers.size else numbers
    if numbers.size:
        numbers = numbers - numbers.mean(axis=0)
        spread = numbers.std(axis=0)
        fixed = np.hstack([fixed, numbers[:, spread > 0] / spread[spread > 0]])
    if groups is not None:
        fixed = np.hstack([fixed, np.asarray(groups, dtype=float).reshape(n, -1)])
    count = int(np.linalg.matrix_rank(fixed)) - 1
    df = n - 2 - count
    if df < LEAST_DF:
        return NOTHING
    rx, ry = residuals(x, fixed), residuals(y, fixed)
    r = correlate(rx, ry, np.ptp(x), np.ptp(y))
    if math.isnan(r):
        return NOTHING
    if method == "kendall":
        return _kendall(rx, ry, n - count)
    if abs(r) > 1 - 1e-9:
        return Correlation(r, float(df), math.nan, math.nan, math.nan, math.nan)  # no spread is left to judge by
    low, high = fisher_interval(r, (1 + r * r / 2 if method == "spearman" else 1.0) / (df - 1))
    statistic, p = t_test_of(r, df)
    return Correlation(r, float(df), statistic, p, low, high)


def dummies(labels: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Indicator columns of all labels but the first, shape (n, levels - 1)."""
    names = np.array([str(label) for label in labels], dtype=object)
    levels = sorted(set(names))[1:]
    return np.array([names == level for level in levels], dtype=float).reshape(len(levels), len(names)).T


def _kendall(rx: Any, ry: Any, size: int) -> Correlation:
    """tau-b of residuals that have lost n - size degrees of freedom."""
    rx, ry = (_without_rounding(values) for values in (rx, ry))
    test = stats.kendalltau(rx, ry, method="asymptotic")
    tau, n = float(test.statistic), len(rx)
    if math.isnan(tau) or size < 5:
        return NOTHING
    if abs(tau) > 1 - 1e-9:
        return Correlation(tau, math.nan, math.nan, math.nan, math.nan, math.nan)
    shrunk = math.sqrt((2 * n + 5) / (n * (n - 1)) / ((2 * size + 5) / (size * (size - 1))))
    statistic = math.copysign(float(stats.norm.isf(test.pvalue / 2)), tau) * shrunk
    low, high = fisher_interval(tau, 0.437 / (size - 4))
    return Correlation(tau, math.nan, statistic, float(2 * stats.norm.sf(abs(statistic))), low, high)


def _without_rounding(values: Any) -> Any:
    """Residuals that are equal but for rounding made equal, so that ties stay ties."""
    spread = float(np.abs(values).max())
    return np.round(values / spread, 10) if spread > 0 else values


def residuals(values: Any, design: Any) -> Any:
    """What is left of values after their least-squares fit on the columns of a design."""
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def correlate(rx: Any, ry: Any, range_x: float, range_y: float) -> float:
    """The correlation of two residuals of mean zero; NaN where one is nothing but rounding."""
    sx, sy = float(np.sqrt((rx * rx).sum())), float(np.sqrt((ry * ry).sum()))
    if sx <= 1e-10 * range_x or sy <= 1e-10 * range_y or range_x == 0 or range_y == 0:
        return math.nan
    return float(np.clip((rx @ ry) / (sx * sy), -1.0, 1.0))


def t_test_of(r: float, df: float) -> tuple[float, float]:
    """Student's t of a correlation, and its two-sided p."""
    if abs(r) >= 1:
        return math.copysign(math.inf, r), 0.0
    statistic = r * math.sqrt(df / (1 - r * r))
    return statistic, float(2 * stats.t.sf(abs(statistic), df))


def filled(blank: Estimate, result: Correlation, *, subjects: int, pairs: int, counted: str) -> Estimate:
    """The row of a correlation, with the reason where there is none, or none that can be tested."""
    note = ""
    if math.isnan(result.r):
        note = f"{counted}: too few, or a value that does not vary"
    elif math.isnan(result.p_value):
        note = f"{counted} lie on one line after adjustment: no interval and no p-value can be given"
    return replace(
        blank,
        n_subjects=subjects,
        n_observations=pairs,
        estimate=result.r,
        df=result.df,
        statistic=result.statistic,
        p_value=result.p_value,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        note=note,
    )
