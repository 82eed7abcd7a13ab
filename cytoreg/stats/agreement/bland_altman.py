"""Limits of agreement of two methods: Bland & Altman, Lancet 1986;i:307 and Stat Methods Med Res 1999;8:135.

Where subjects have several pairs: their method for a true value that varies (1999, section 5.3; J Biopharm Stat
2007;17:571), with intervals of the limits by Zou, Stat Methods Med Res 2013;22:630 (MOVER).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import AnalysisError

__all__ = ["Limits", "limits_of_agreement"]

LEAST = 3
Z = 1.959963984540054

Interval = tuple[float, float]


@dataclass(frozen=True)
class Limits:
    """bias: mean of first - second. lower, upper: bias -+ 1.96 sd, between which 95 % of differences are expected.

    bias_ci, lower_ci, upper_ci: 95 %. sd_within, sd_between: of the differences within and between subjects, NaN
    where no subject has two pairs. slope: change of the difference for each unit of the mean of the two, and the p
    of its t test, which takes pairs as independent. ratio: bias and limits are first / second.
    """

    bias: float
    bias_ci: Interval
    sd: float
    lower: float
    lower_ci: Interval
    upper: float
    upper_ci: Interval
    n: int
    n_subjects: int
    sd_within: float
    sd_between: float
    slope: float
    slope_p: float
    ratio: bool = False
    note: str = ""


def limits_of_agreement(first: Any, second: Any, subject: Any = None, *, ratio: bool = False) -> Limits:
    """Compare two methods on the same things.

    first, second: (n,), finite, paired. subject: (n,) whom each pair is of; pairs of one subject are not
    independent. ratio: compare logarithms, and give all as ratios first / second (sd and slope stay logarithms).

    Raises AnalysisError for fewer than three pairs, and for ratios of values that are not above zero.
    """
    x, y = np.asarray(first, float), np.asarray(second, float)
    n = len(x)
    if n < LEAST:
        raise AnalysisError(f"Bland-Altman: found {n} pairs, expected at least {LEAST}")
    if ratio:
        if min(x.min(), y.min()) <= 0:
            raise AnalysisError("Bland-Altman: ratios need values above zero, found 0 or less")
        x, y = np.log(x), np.log(y)
    d = x - y
    groups = (
        np.arange(n) if subject is None else np.unique([str(name) for name in subject], return_inverse=True)[1]
    )
    subjects = int(groups.max()) + 1
    slope, slope_p = _slope(d, (x + y) / 2)
    if subjects == n:
        found = _simple(d)
    elif subjects < 2:
        raise AnalysisError("Bland-Altman: all pairs are of one subject, expected at least 2")
    else:
        found = _repeated(d, groups)
    low, high = found["bias"] - Z * found["sd"], found["bias"] + Z * found["sd"]
    inner, outer = found["inner"], found["outer"]
    numbers = {
        "bias": found["bias"],
        "bias_ci": found["bias_ci"],
        "lower": low,
        "lower_ci": (low - outer, low + inner),
        "upper": high,
        "upper_ci": (high - inner, high + outer),
    }
    if ratio:
        numbers = {
            key: tuple(map(math.exp, v)) if isinstance(v, tuple) else math.exp(v) for key, v in numbers.items()
        }
    note = f"{n} pairs of {subjects} subjects, taken as repeated" if subjects < n else ""
    return Limits(
        **numbers,
        sd=found["sd"],
        n=n,
        n_subjects=subjects,
        sd_within=found["within"],
        sd_between=found["between"],
        slope=slope,
        slope_p=slope_p,
        ratio=ratio,
        note=note,
    )


def _simple(d: Any) -> dict[str, Any]:
    """Each pair on its own; standard error of a limit sqrt(s2 / n + 1.96^2 s2 / (2 (n - 1))) (1999, section 4)."""
    from scipy.stats import t

    n = len(d)
    bias, sd = float(d.mean()), float(d.std(ddof=1))
    quantile = float(t.ppf(0.975, n - 1))
    half = quantile * sd / math.sqrt(n)
    margin = quantile * sd * math.sqrt(1 / n + Z**2 / (2 * (n - 1)))
    return {
        "bias": bias,
        "bias_ci": (bias - half, bias + half),
        "sd": sd,
        "inner": margin,
        "outer": margin,
        "within": math.nan,
        "between": math.nan,
    }


def _repeated(d: Any, groups: Any) -> dict[str, Any]:
    """One-way analysis of variance of the differences by subject; margins of the limits as in Zou's section 3.2."""
    from scipy.stats import chi2, norm, t

    n, k = len(d), int(groups.max()) + 1
    sizes = np.bincount(groups)
    means = np.bincount(groups, d) / sizes
    bias = float(d.mean())
    ms_within = float(((d - means[groups]) ** 2).sum()) / (n - k)
    ms_between = float((sizes * (means - bias) ** 2).sum()) / (k - 1)
    divisor = (n**2 - float((sizes**2).sum())) / ((k - 1) * n)
    between = max((ms_between - ms_within) / divisor, 0.0)
    sd = math.sqrt(between + ms_within)
    of_means = float(means.var(ddof=1))
    half = float(t.ppf(0.975, k - 1)) * math.sqrt(of_means / k)
    weight = (1 - float((1 / sizes).mean())) * ms_within
    total = of_means + weight
    parts = [(of_means, k - 1), (weight, n - k)]
    below = math.sqrt(sum((v * (1 - df / float(chi2.ppf(0.975, df)))) ** 2 for v, df in parts))
    above = math.sqrt(sum((v * (df / float(chi2.ppf(0.025, df)) - 1)) ** 2 for v, df in parts))
    mean_part = float(norm.ppf(0.975)) ** 2 * of_means / k
    root = math.sqrt(total)
    inner = math.sqrt(mean_part + Z**2 * (root - math.sqrt(max(total - below, 0.0))) ** 2)
    outer = math.sqrt(mean_part + Z**2 * (math.sqrt(total + above) - root) ** 2)
    return {
        "bias": bias,
        "bias_ci": (bias - half, bias + half),
        "sd": sd,
        "inner": inner,
        "outer": outer,
        "within": math.sqrt(ms_within),
        "between": math.sqrt(between),
    }


def _slope(d: Any, mean: Any) -> tuple[float, float]:
    from scipy.stats import linregress

    if not np.ptp(mean) > 0:
        return math.nan, math.nan
    line = linregress(mean, d)
    return float(line.slope), float(line.pvalue)
