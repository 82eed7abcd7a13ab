"""Whether the residuals of an estimate allow its t test: normal enough for its number, and no subject that decides it.

Shapiro SS & Wilk MB, Biometrika 1965;52:591-611. With many subjects the mean is near normal whatever they are, so only
a skewness that its t interval feels is told: its coverage departs with skewness / sqrt(n) (Johnson NJ, J Am Stat Assoc
1978;73:536-544). Influence: what the estimate moves by when one subject is left out, in its standard errors (DFBETAS;
Belsley DA, Kuh E & Welsch RE, Regression Diagnostics, 1980).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["checked_mean", "checked_residuals", "influence_note", "normality_note"]

LEVEL = 0.01  # of the test of normality: one look for each row, and few rows
FELT = 0.2  # skewness / sqrt(n); at 0.2 a one-sided 2.5 % limit is off by about half of its level
MOVES = 1.0  # standard errors that one subject moves the estimate by
LEAST = 4
MOST = 5000  # what Shapiro's p-value is known for


def normality_note(residuals: Any) -> str:
    """What to say of the distribution of residuals, shape (n,); empty where nothing is to be said.

    >>> normality_note([-2, -1, 0, 1, 2, 0.5, -0.5])
    ''
    """
    values = np.asarray(residuals, dtype=float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n < LEAST or np.ptp(values) <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
        return ""
    from scipy import stats

    skew = float(stats.skew(values))
    p = float(stats.shapiro(values[:MOST]).pvalue)
    if p >= LEVEL or abs(skew) / math.sqrt(n) < FELT:
        return ""
    return f"residuals are not normal (Shapiro-Wilk {_p(p)}, skewness {skew:+.1f}): the t interval is approximate"


def influence_note(moves: Any) -> str:
    """What to say of subjects that move the estimate by more than one standard error when left out.

    moves: shape (n,), in standard errors (DFBETAS).
    """
    size = np.abs(np.asarray(moves, dtype=float))
    size = size[np.isfinite(size)]
    many = int((size > MOVES).sum())
    if not many:
        return ""
    who = "one subject moves" if many == 1 else f"{many} subjects each move"
    return f"{who} the estimate by more than its standard error ({size.max():.1f})"


def checked_mean(values: Any) -> str:
    """Both notes for a mean of values, shape (n,)."""
    x = np.asarray(values, dtype=float)
    n = len(x)
    if n < LEAST or not np.ptp(x) > 0:
        return ""
    rest = x - x.mean()
    left = (rest**2).sum() - rest**2 * n / (n - 1)  # the sum of squares without each one
    se = np.sqrt(np.maximum(left, 0) / (n - 2) / n)
    moves = np.divide(rest / (n - 1), se, out=np.full(n, np.inf), where=se > 0)
    return "; ".join(filter(None, (normality_note(x), influence_note(moves))))


def checked_residuals(design: Any, y: Any, column: int) -> str:
    """Both notes for the coefficient `column` of a least-squares fit. design: (n, p), y: (n,)."""
    x, values = np.asarray(design, dtype=float), np.asarray(y, dtype=float)
    n, p = x.shape
    if n - p < 2 or np.linalg.matrix_rank(x) < p:
        return ""
    inverse = np.linalg.inv(x.T @ x)
    rest = values - x @ (inverse @ (x.T @ values))
    lever = np.einsum("ij,jk,ik->i", x, inverse, x)
    free = np.maximum(1 - lever, 1e-12)
    without = np.sqrt(np.maximum((rest @ rest - rest**2 / free) / (n - p - 1), 0))
    scale = without * math.sqrt(inverse[column, column])
    moves = np.divide((inverse @ x.T)[column] * rest / free, scale, out=np.zeros(n), where=scale > 0)
    return "; ".join(filter(None, (normality_note(rest), influence_note(moves))))


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
