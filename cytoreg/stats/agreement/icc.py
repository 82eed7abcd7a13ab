"""Intraclass correlations: the six of Shrout & Fleiss, Psychol Bull 1979;86:420, with F-based intervals.

McGraw & Wong, Psychol Methods 1996;1:30 (tables 4 and 7) call the same six ICC(1), ICC(A,1), ICC(C,1), ICC(k),
ICC(A,k) and ICC(C,k): of one rating and of the mean of k, one-way, by absolute agreement, and by consistency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import AnalysisError

__all__ = ["FORMS", "ICC", "intraclass_correlations"]

FORMS = {  # Shrout & Fleiss -> McGraw & Wong, what it says
    "ICC(1,1)": ("ICC(1)", "one rating; raters differ from subject to subject"),
    "ICC(2,1)": ("ICC(A,1)", "one rating; absolute agreement of these or of random raters"),
    "ICC(3,1)": ("ICC(C,1)", "one rating; consistency, a constant shift between raters does not count"),
    "ICC(1,k)": ("ICC(k)", "mean of k ratings; raters differ from subject to subject"),
    "ICC(2,k)": ("ICC(A,k)", "mean of k ratings; absolute agreement"),
    "ICC(3,k)": ("ICC(C,k)", "mean of k ratings; consistency"),
}


@dataclass(frozen=True)
class ICC:
    """One form. f, df1, df2, p_value: the F test that it is zero."""

    form: str
    also: str
    meaning: str
    value: float
    low: float
    high: float
    f: float
    df1: float
    df2: float
    p_value: float


def intraclass_correlations(ratings: Any, level: float = 0.95) -> tuple[ICC, ...]:
    """All six forms.

    ratings: (n subjects, k raters), no gaps. Raises AnalysisError for fewer than two of either, for gaps, and
    where nothing varies.
    """
    table = np.asarray(ratings, float)
    if table.ndim != 2 or min(table.shape) < 2:
        shape = " x ".join(str(size) for size in table.shape)
        raise AnalysisError(f"ICC: found {shape} ratings, expected at least 2 subjects and 2 methods or raters")
    if not np.isfinite(table).all():
        raise AnalysisError("ICC: a rating is missing, expected every subject rated by every method")
    n, k = table.shape
    grand = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between = k * ((rows - grand) ** 2).sum() / (n - 1)
    within = ((table - rows[:, None]) ** 2).sum() / (n * (k - 1))
    raters = n * ((columns - grand) ** 2).sum() / (k - 1)
    error = ((table - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    if not between + within > 0:
        raise AnalysisError("ICC: all ratings are the same, expected some that differ")
    df1, df_within, df_error = n - 1.0, n * (k - 1.0), (n - 1.0) * (k - 1)
    one_way = _single(between, within, df1, df_within, k, level)
    consistent = _single(between, error, df1, df_error, k, level)
    agreed = _agreement(between, raters, error, n, k, level)
    found = [*(one_way[0], agreed[0], consistent[0]), *(one_way[1], agreed[1], consistent[1])]
    tests = [(within, df_within), (error, df_error), (error, df_error)] * 2
    results = []
    for (form, (also, meaning)), (value, low, high), (below, df2) in zip(FORMS.items(), found, tests, strict=True):
        f = between / below if below > 0 else math.inf
        results.append(ICC(form, also, meaning, value, low, high, f, df1, df2, _tail(f, df1, df2)))
    return tuple(results)


Three = tuple[float, float, float]


def _single(between: float, below: float, df1: float, df2: float, k: int, level: float) -> tuple[Three, Three]:
    """ICC(1) or ICC(C,1) and that of the mean, with their exact intervals."""
    if below <= 0:
        return (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)
    f = between / below
    low, high = f / _quantile(level, df1, df2), f * _quantile(level, df2, df1)
    return tuple((x - 1) / (x + k - 1) for x in (f, low, high)), tuple(1 - 1 / x for x in (f, low, high))  # type: ignore[return-value]


def _agreement(between: float, raters: float, error: float, n: int, k: int, level: float) -> tuple[Three, Three]:
    """ICC(A,1) and ICC(A,k), with the interval by Satterthwaite's degrees of freedom (McGraw & Wong, table 7)."""
    value = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    mean = (between - error) / (between + (raters - error) / n)
    if value >= 1:
        return (value, value, value), (mean, mean, mean)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    f_low, f_high = _quantile(level, n - 1, df), _quantile(level, df, n - 1)
    rest = k * raters + (k * n - k - n) * error
    low = n * (between - f_low * error) / (f_low * rest + n * between)
    high = n * (f_high * between - error) / (rest + n * f_high * between)
    of_mean = [k * x / (1 + x * (k - 1)) for x in (low, high)]
    return (value, low, high), (mean, of_mean[0], of_mean[1])


def _quantile(level: float, df1: float, df2: float) -> float:
    from scipy.stats import f

    return float(f.ppf((1 + level) / 2, df1, df2))


def _tail(value: float, df1: float, df2: float) -> float:
    from scipy.stats import f

    return float(f.sf(value, df1, df2))
