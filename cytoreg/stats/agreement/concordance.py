"""Lin's concordance correlation of two methods: Biometrics 1989;45:255, with the correction of 2000;56:324.

Where subjects have several pairs, the interval is a jackknife over subjects on Fisher's z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import AnalysisError

__all__ = ["Concordance", "lin_concordance"]

LEAST = 3


@dataclass(frozen=True)
class Concordance:
    """value = precision (Pearson's r) x accuracy (the bias correction factor). n_subjects: where they repeat."""

    value: float
    low: float
    high: float
    precision: float
    accuracy: float
    n: int
    n_subjects: int
    note: str = ""


def lin_concordance(x: Any, y: Any, subject: Any = None, level: float = 0.95) -> Concordance:
    """How near the pairs lie to the line of equality.

    x, y: (n,), finite. subject: (n,) whom each pair is of. Variances divide by n, as in the paper's estimate.
    Raises AnalysisError for fewer than three pairs and for a method whose values are all the same.
    """
    first, second = np.asarray(x, float), np.asarray(y, float)
    n = len(first)
    if n < LEAST:
        raise AnalysisError(f"concordance: found {n} pairs, expected at least {LEAST}")
    if not (np.ptp(first) > 0 and np.ptp(second) > 0):
        raise AnalysisError("concordance: one method gives the same value every time, expected values that differ")
    value, precision = _value(first, second)
    accuracy = value / precision if precision else math.nan
    groups = (
        np.arange(n) if subject is None else np.unique([str(name) for name in subject], return_inverse=True)[1]
    )
    subjects = int(groups.max()) + 1
    if subjects == n:
        low, high, note = *_lin(first, second, value, precision, level), ""
    elif subjects < LEAST:
        low, high, note = math.nan, math.nan, f"{subjects} subjects: no interval"
    else:
        low, high = _jackknife(first, second, groups, value, level)
        note = f"interval by leaving out each of {subjects} subjects in turn"
    return Concordance(value, low, high, precision, accuracy, n, subjects, note)


def _value(x: Any, y: Any) -> tuple[float, float]:
    sxy = float(((x - x.mean()) * (y - y.mean())).mean())
    value = 2 * sxy / float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return value, sxy / math.sqrt(float(x.var() * y.var())) if x.var() * y.var() > 0 else math.nan


def _lin(x: Any, y: Any, value: float, r: float, level: float) -> tuple[float, float]:
    from scipy.stats import norm

    if abs(value) >= 1 or r == 0:
        return math.nan, math.nan
    shift = float((x.mean() - y.mean()) ** 2 / math.sqrt(x.var() * y.var()))
    square, rho = value * value, r * r
    variance = (
        (1 - rho) * square / ((1 - square) * rho)
        + 2 * value**3 * (1 - value) * shift / (r * (1 - square) ** 2)
        - value**4 * shift**2 / (2 * rho * (1 - square) ** 2)
    ) / (len(x) - 2)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt(max(variance, 0.0))
    return math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)


def _jackknife(x: Any, y: Any, groups: Any, value: float, level: float) -> tuple[float, float]:
    from scipy.stats import t

    if abs(value) >= 1:
        return math.nan, math.nan
    count = int(groups.max()) + 1
    left = [_value(x[groups != group], y[groups != group])[0] for group in range(count)]
    if not all(abs(each) < 1 for each in left):
        return math.nan, math.nan
    pseudo = count * math.atanh(value) - (count - 1) * np.arctanh(left)
    half = float(t.ppf((1 + level) / 2, count - 1)) * float(pseudo.std(ddof=1)) / math.sqrt(count)
    centre = math.atanh(value)
    return math.tanh(centre - half), math.tanh(centre + half)
